import Freshet
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Scripts as Redis takes them: without the flag that only Upstash knows. Redis runs one script at a time whatever its
/// flags are.
///
/// Redis knows such a script by another digest than its sender does, so digests are translated both ways.
final class UpstashScripts: Sendable {
    /// How many scripts are remembered. The one after them makes all be forgotten; their senders send them again, as
    /// after SCRIPT FLUSH.
    private let limit: Int
    /// The digests of scripts as Redis has them, by those of the scripts as they were sent.
    private let digests = NIOLockedValueBox<[String: String]>([:])

    init(limit: Int = 10_000) { self.limit = limit }

    /// Others than those of scripts stay as they are.
    func forRedis(_ command: RESPCommand) -> RESPCommand {
        if let place = command.placeOfScript {
            return command.replacing(place..<(place + 1)) { $0.changed.map(remember) }
        }
        return command.replacing(command.placesOfDigests) { digest in
            guard let sent = digest.string?.lowercased() else { return nil }
            return digests.withLockedValue { $0[sent] }.map { .string($0) }
        }
    }

    /// Replies to commands as they were sent: SCRIPT LOAD tells the digest that its sender computes.
    func replies(_ replies: [RESPValue], to commands: [RESPCommand]) -> [RESPValue] {
        zip(replies, commands).map { reply, command in
            guard command.name == "SCRIPT", reply.error == nil, let place = command.placeOfScript,
                let script = command.argument(at: place), script.changed != nil
            else { return reply }
            return .bulkString(ByteBuffer(string: script.bytes.sha1))
        }
    }

    private func remember(_ script: Change) -> RESPArgument {
        digests.withLockedValue { digests in
            if digests.count >= limit { digests.removeAll(keepingCapacity: true) }
            digests[script.original.sha1] = script.changed.sha1
        }
        return .bytes(script.changed)
    }
}

/// A script before and after.
private struct Change {
    let original: ByteBuffer
    let changed: ByteBuffer
}

extension RESPCommand {
    fileprivate var placeOfScript: Int? {
        switch name {
        case "EVAL", "EVAL_RO": 0
        case "SCRIPT" where hasWord("LOAD", at: 0): 1
        default: nil
        }
    }

    fileprivate var placesOfDigests: Range<Int> {
        switch name {
        case "EVALSHA", "EVALSHA_RO": 0..<1
        case "SCRIPT" where hasWord("EXISTS", at: 0): 1..<argumentCount
        default: 0..<0
        }
    }

    /// - Parameter replacement: nil where an argument stays.
    fileprivate func replacing(_ places: Range<Int>, _ replacement: (RESPArgument) -> RESPArgument?) -> RESPCommand {
        var replacements: [Int: RESPArgument] = [:]
        for place in places { replacements[place] = argument(at: place).flatMap(replacement) }
        guard !replacements.isEmpty else { return self }
        var command = RESPCommand(name)
        command.isReadOnly = isReadOnly
        for (place, argument) in arguments.enumerated() { command.append(replacements[place] ?? argument) }
        return command
    }
}

extension RESPArgument {
    /// The script without the flag in its first line: `#!lua flags=no-writes,allow-key-locking`; nil where it has none.
    fileprivate var changed: Change? {
        guard case .bytes(let original) = self else { return nil }
        let bytes = original.readableBytesView
        guard bytes.starts(with: "#!lua ".utf8) else { return nil }
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
        let line = String(decoding: bytes[..<end], as: UTF8.self)
        guard line.contains("allow-key-locking") else { return nil }
        let words = line.split { $0 == " " || $0 == "\r" }.compactMap(Self.keptWord)
        var script = ByteBuffer(string: words.joined(separator: " "))
        script.writeBytes(bytes[end...])
        return Change(original: original, changed: script)
    }

    private static func keptWord(_ word: Substring) -> String? {
        guard word.hasPrefix("flags=") else { return String(word) }
        let flags = word.dropFirst("flags=".count).split(separator: ",").filter { $0 != "allow-key-locking" }
        return flags.isEmpty ? nil : "flags=" + flags.joined(separator: ",")
    }
}
