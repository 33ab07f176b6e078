import Foundation

/// A sequence of keys asked for.
struct Trace {
    struct Unreadable: Error, CustomStringConvertible { let description: String }

    let name: String
    let keys: [UInt64]
    /// The size of cache it is played through unless told otherwise.
    let capacity: Int

    init(_ workload: Workload) {
        name = workload.rawValue
        keys = workload.keys()
        capacity = workload.capacity ?? Self.usualCapacity(keys)
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
        capacity = Self.usualCapacity(keys)
        let file = URL(fileURLWithPath: path).lastPathComponent
        name = [".u64.gz", ".gz"].first { file.hasSuffix($0) }.map { String(file.dropLast($0.count)) } ?? file
    }

    private static func usualCapacity(_ keys: [UInt64]) -> Int { max(64, Set(keys).count / 50) }

    func ratio(_ hits: Int) -> Double { keys.isEmpty ? 0 : Double(hits) / Double(keys.count) }
}
