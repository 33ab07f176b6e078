import NIOCore
import RESP

extension RESPCommand {
    /// The command as Redis takes it: without the flag of scripts that only Upstash knows. Redis runs one script at a
    /// time whatever its flags are.
    var forRedis: RESPCommand { withoutKeyLocking ?? self }

    /// - Returns: nil where there is nothing to leave out.
    fileprivate var withoutKeyLocking: RESPCommand? {
        let position: Int
        switch name {
        case "EVAL", "EVAL_RO": position = 0
        case "SCRIPT": position = 1
        default: return nil
        }
        guard case .bytes(let script)? = argument(at: position), let changed = script.withoutKeyLocking else {
            return nil
        }
        var command = RESPCommand(name)
        command.isReadOnly = isReadOnly
        for (index, argument) in arguments.enumerated() {
            command.append(index == position ? .bytes(changed) : argument)
        }
        return command
    }
}

extension [RESPCommand] {
    /// See ``RESP/RESPCommand/forRedis``.
    var forRedis: [RESPCommand] {
        guard let first = firstIndex(where: { $0.withoutKeyLocking != nil }) else { return self }
        return Array(self[..<first]) + self[first...].map(\.forRedis)
    }
}

extension ByteBuffer {
    /// The script without the flag in its first line: `#!lua flags=no-writes,allow-key-locking`.
    fileprivate var withoutKeyLocking: ByteBuffer? {
        let bytes = readableBytesView
        guard bytes.starts(with: "#!lua ".utf8) else { return nil }
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
        let line = String(decoding: bytes[..<end], as: UTF8.self)
        guard line.contains("allow-key-locking") else { return nil }
        let words = line.split { $0 == " " || $0 == "\r" }.compactMap(Self.keptWord)
        var script = ByteBuffer(string: words.joined(separator: " "))
        script.writeBytes(bytes[end...])
        return script
    }

    private static func keptWord(_ word: Substring) -> String? {
        guard word.hasPrefix("flags=") else { return String(word) }
        let flags = word.dropFirst("flags=".count).split(separator: ",").filter { $0 != "allow-key-locking" }
        return flags.isEmpty ? nil : "flags=" + flags.joined(separator: ",")
    }
}
