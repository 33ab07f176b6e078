import Foundation
import NIOConcurrencyHelpers

/// A real `redis-server` of the test's own, on a free port of the loopback interface, keeping nothing.
///
/// It ends when it is stopped or released, and when the test process ends, however that ends: a shell in between
/// looks twice a second whether the test process is still there, and removes what it has left.
public final class RedisServer: Sendable {
    public struct StartError: Error, CustomStringConvertible {
        public let description: String
    }

    /// Plain TCP; there whether or not the server has a TLS port too.
    public let port: Int
    /// The port for TLS, if it was started with certificates.
    public let tlsPort: Int?
    /// Files of this server: socket, log.
    private let directory: URL
    private let arguments: [String]
    private let processID = NIOLockedValueBox<pid_t?>(nil)

    public var unixSocketPath: String { directory.appendingPathComponent("redis.sock").path }
    public var url: String { "redis://127.0.0.1:\(port)" }

    private init(arguments: [String], certificates: TestCertificates?, sentinel: String? = nil) throws {
        let port = try LoopbackSocket.freePort()
        let tlsPort = try certificates.map { _ in try LoopbackSocket.freePort() }
        self.port = port
        self.tlsPort = tlsPort
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var all = [String]()
        if let sentinel {
            // Sentinels keep what they learn in their file.
            let file = directory.appendingPathComponent("sentinel.conf")
            try Data(sentinel.utf8).write(to: file)
            all += [file.path, "--sentinel"]
        } else {
            all += ["--save", "", "--appendonly", "no"]
        }
        all += [
            "--port", "\(port)", "--bind", "127.0.0.1", "--dir", directory.path,
            "--logfile", directory.appendingPathComponent("redis.log").path,
            "--unixsocket", directory.appendingPathComponent("redis.sock").path,
        ]
        if let certificates, let tlsPort {
            all += [
                "--tls-port", "\(tlsPort)", "--tls-cert-file", certificates.certificate,
                "--tls-key-file", certificates.key, "--tls-ca-cert-file", certificates.authority,
                "--tls-auth-clients", "no",
            ]
        }
        self.arguments = all + arguments
    }

    /// Starts a server and waits until it answers.
    ///
    /// - Parameters:
    ///   - arguments: further options of `redis-server`, such as `["--requirepass", "secret"]`.
    ///   - certificates: if given, there is a port for TLS as well.
    public static func start(
        arguments: [String] = [],
        certificates: TestCertificates? = nil
    ) async throws -> RedisServer {
        try await start { try RedisServer(arguments: arguments, certificates: certificates) }
    }

    /// Starts a sentinel, with the text of its settings, and waits until it answers.
    static func start(sentinel settings: String) async throws -> RedisServer {
        try await start { try RedisServer(arguments: [], certificates: nil, sentinel: settings) }
    }

    private static func start(_ make: () throws -> RedisServer) async throws -> RedisServer {
        // Another process may take the free port before the server does.
        var failure: (any Error)?
        for _ in 0..<5 {
            let server = try make()
            do {
                try await server.launch()
                return server
            } catch {
                failure = error
                server.kill()
            }
        }
        throw failure ?? StartError(description: "redis-server did not start.")
    }

    /// Runs a command without any client and gives its answer as it comes over the wire.
    ///
    /// - Throws: ``StartError`` if the answer is an error, or none comes.
    @discardableResult
    public func command(_ line: String, password: String? = nil) throws -> String {
        let lines = (password.map { ["AUTH \($0)\r\n"] } ?? []) + ["\(line)\r\n"]
        let answer = LoopbackSocket.converse(lines, port: port, patience: 5)
        guard !answer.isEmpty, !answer.hasPrefix("-") else {
            throw StartError(description: "\(line) was answered with '\(answer)'.")
        }
        return answer
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Kills the server at once, as a crash would.
    public func stop() async {
        kill()
        _ = await eventually { !LoopbackSocket.isListening(port: port) }
    }

    /// Starts it again, empty, on the same ports, and waits until it answers.
    public func restart() async throws {
        await stop()
        try await launch()
    }

    /// Freezes the process: connections stay open and nothing answers.
    public func pause() { signal(SIGSTOP) }

    /// Ends a ``pause()``.
    public func resume() { signal(SIGCONT) }

    /// Has a snapshot fail, after which it takes no writes and no `PING`.
    public func failSnapshot() async throws {
        try command("CONFIG SET save \"3600 1\"")
        try FileManager.default.removeItem(at: directory)
        try command("BGSAVE")
        guard await eventually({ (try? command("PING")) == nil }) else {
            throw StartError(description: "The snapshot did not fail.")
        }
    }

    private func signal(_ signal: Int32) {
        if let processID = processID.withLockedValue({ $0 }) { _ = Foundation.kill(processID, signal) }
    }

    private func launch() async throws {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        let script = #"""
            directory=$1
            shift
            redis-server "$@" &
            server=$!
            echo $server
            while kill -0 "$0" 2>/dev/null && kill -0 $server 2>/dev/null; do sleep 0.5; done
            kill -9 $server 2>/dev/null
            kill -0 "$0" 2>/dev/null || rm -rf "$directory"
            """#
        shell.arguments = ["-c", script, "\(ProcessInfo.processInfo.processIdentifier)", directory.path] + arguments
        // No pipes: other processes started at the same time would inherit their ends and keep them open.
        let output = directory.appendingPathComponent("output-\(UUID().uuidString)")
        try Data().write(to: output)
        shell.standardInput = FileHandle.nullDevice
        shell.standardOutput = try FileHandle(forWritingTo: output)
        // An inherited one would be held open after the tests, and `swift test` waits for its end.
        shell.standardError = FileHandle.nullDevice
        try shell.run()
        let hasStarted = try await eventually {
            let line = try String(contentsOf: output, encoding: .utf8).split(separator: "\n").first
            guard let started = line.flatMap({ pid_t($0) }) else { return false }
            processID.withLockedValue { $0 = started }
            return true
        }
        guard hasStarted else { throw StartError(description: "The shell did not start redis-server.") }
        try await waitUntilItAnswers()
    }

    private func waitUntilItAnswers() async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let answer = LoopbackSocket.exchange("PING\r\n", port: port)
            if answer.hasPrefix("+PONG") || answer.hasPrefix("-NOAUTH") { return }
            if let processID = processID.withLockedValue({ $0 }), Foundation.kill(processID, 0) != 0 { break }
            try await Task.sleep(for: .milliseconds(5))
        }
        let log = try? String(contentsOf: directory.appendingPathComponent("redis.log"), encoding: .utf8)
        throw StartError(description: "redis-server did not answer in time. \(log?.suffix(500) ?? "")")
    }

    private func kill() {
        let processID = processID.withLockedValue { processID in
            defer { processID = nil }
            return processID
        }
        if let processID { _ = Foundation.kill(processID, SIGKILL) }
    }
}
