import Foundation

/// A sequence of keys asked for.
struct Trace {
    struct Unreadable: Error, CustomStringConvertible { let description: String }

    let name: String
    let keys: [UInt64]

    init(name: String, keys: [UInt64]) {
        self.name = name
        self.keys = keys
    }

    /// Reads gzip of little-endian 64-bit keys.
    init(contentsOf path: String) throws {
        let gzip = Process()
        gzip.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        gzip.arguments = ["gzip", "-dc", "--", path]
        let output = Pipe()
        gzip.standardOutput = output
        try gzip.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        gzip.waitUntilExit()
        guard gzip.terminationStatus == 0 else { throw Unreadable(description: "cannot read \(path)") }
        keys = bytes.withUnsafeBytes { buffer in
            (0..<buffer.count / 8).map {
                UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
            }
        }
        name = String(URL(fileURLWithPath: path).lastPathComponent.prefix { $0 != "." })
    }

    func ratio(_ hits: Int) -> Double { keys.isEmpty ? 0 : Double(hits) / Double(keys.count) }
}
