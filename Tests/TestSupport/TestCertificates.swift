import Foundation

/// Certificates made by `openssl` for one test: an authority, and a server certificate that it signed.
public final class TestCertificates: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private let directory: URL
    /// Paths of PEM files.
    public var authority: String { directory.appendingPathComponent("ca.crt").path }
    public var certificate: String { directory.appendingPathComponent("server.crt").path }
    public var key: String { directory.appendingPathComponent("server.key").path }

    /// - Parameters:
    ///   - names: what the certificate is made for, as OpenSSL writes it.
    ///   - isExpired: whether its time is already over.
    public init(names: String = "DNS:localhost,IP:127.0.0.1", isExpired: Bool = false) async throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let script = """
            exec 2>errors
            set -e
            new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
            echo "subjectAltName=\(names)" >extensions
            openssl req -x509 $new -subj "/CN=Test authority" -days 30 -keyout ca.key -out ca.crt
            openssl req -new $new -subj /CN=server -keyout server.key -out server.csr
            openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile extensions \
                -days \(isExpired ? -1 : 30) -out server.crt
            """
        let status = try await Self.run(script, in: directory)
        guard status == 0 else {
            let errors = try? String(contentsOf: directory.appendingPathComponent("errors"), encoding: .utf8)
            throw Failure(description: "openssl failed: \(errors ?? "")")
        }
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    private static func run(_ script: String, in directory: URL) async throws -> Int32? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "(\(script)\n)\necho $? >ended; mv ended status"]
        process.currentDirectoryURL = directory
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // A notice of its end is missed while a process that was started beside it holds an end of the wire.
        let file = directory.appendingPathComponent("status")
        var status: Int32?
        _ = await eventually {
            let text = try? String(contentsOf: file, encoding: .utf8)
            status = text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            return status != nil
        }
        return status
    }
}
