import NIOCore
import RESP

/// The keys that commands read and write, as far as their order matters.
struct Footprint {
    enum Access: Comparable {
        case read, write
    }

    // By their hashes: two keys that share one do no harm but that one waits for the other.
    private(set) var keys: [Int: Access] = [:]
    /// Channels that are published to; their messages keep their order.
    private(set) var channels: Set<Int> = []
    /// Set where there is more to it than the keys tell.
    private(set) var everything: Access?
    private(set) var strongest: Access?
    /// Whether it comes after all earlier writes, though later ones need not come after it.
    private(set) var followsWrites = false

    init() {}

    var isEmpty: Bool { strongest == nil && !followsWrites }

    init(_ jobs: some Sequence<Job>) {
        for job in jobs { insert(job.unfinished) }
    }

    mutating func insert(_ commands: some Sequence<RESPCommand>) {
        for command in commands { insert(command) }
    }

    mutating func insert(_ command: RESPCommand) {
        let access = command.isReadOnly ? Access.read : .write
        switch CommandReach.of(command) {
        case .nothing: return
        case .everything: return touchEverything(access)
        case .everythingBefore:
            followsWrites = true
            if let channel = command.argument(at: 0) { channels.insert(channel.keyHash) }
        case .keys(let rule):
            var isEmpty = true
            rule.forEachPosition(in: command) { position in
                guard let key = command.argument(at: position) else { return }
                isEmpty = false
                touch(key.keyHash, access)
            }
            if isEmpty { touchEverything(access) }
        }
    }

    mutating func formUnion(_ other: Footprint) {
        if let access = other.everything { touchEverything(access) }
        for (key, access) in other.keys { touch(key, access) }
        channels.formUnion(other.channels)
        followsWrites = followsWrites || other.followsWrites
    }

    /// By keys and channels alone: a message that is out has followed no write that was rejected.
    var ofKeysAndChannels: Footprint {
        var footprint = self
        footprint.followsWrites = false
        return footprint
    }

    private mutating func touch(_ key: Int, _ access: Access) {
        keys[key] = max(keys[key] ?? access, access)
        strongest = max(strongest ?? access, access)
    }

    private mutating func touchEverything(_ access: Access) {
        everything = max(everything ?? access, access)
        strongest = max(strongest ?? access, access)
    }

    /// Whether it has to come after what was asked for earlier: they have a key in common, and one writes it.
    ///
    /// - Complexity: linear in the keys of the smaller one.
    func depends(on earlier: Footprint) -> Bool {
        if Self.conflicts(everything, earlier.strongest) { return true }
        if Self.conflicts(earlier.everything, strongest) { return true }
        if followsWrites, earlier.strongest == .write { return true }
        if !channels.isDisjoint(with: earlier.channels) { return true }
        let (fewer, more) = keys.count < earlier.keys.count ? (keys, earlier.keys) : (earlier.keys, keys)
        return fewer.contains { Self.conflicts($0.value, more[$0.key]) }
    }

    private static func conflicts(_ one: Access?, _ other: Access?) -> Bool {
        guard let one, let other else { return false }
        return one == .write || other == .write
    }
}

/// What a command may depend on, or change.
private enum CommandReach {
    case nothing
    case keys(KeyRule)
    case everything
    /// It changes no data, and tells of what was done before.
    case everythingBefore

    static func of(_ command: RESPCommand) -> CommandReach {
        let hash = command.name.commandHash
        if let special = special[hash] { return special }
        if hash == script, command.hasWord("LOAD", at: 0) { return .nothing }
        // Of unknown modules not even the key's place is known.
        let name = command.name.utf8
        if name.contains(UInt8(ascii: ".")), !name.prefix(5).isWord("JSON.") { return .everything }
        return .keys(KeyRule.of(command))
    }

    private static let script = "SCRIPT".commandHash

    private static let special: [UInt64: CommandReach] = {
        var reaches: [UInt64: CommandReach] = [:]
        for name in ["PING", "ECHO", "TIME"] { reaches[name.commandHash] = .nothing }
        // Patterns of SORT name other keys.
        for name in ["SORT", "SORT_RO"] { reaches[name.commandHash] = .everything }
        reaches["PUBLISH".commandHash] = .everythingBefore
        return reaches
    }()
}

extension RESPArgument {
    /// The same for text and bytes that are alike.
    fileprivate var keyHash: Int {
        var hasher = Hasher()
        switch self {
        case .string(var text): text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        case .bytes(let buffer): buffer.withUnsafeReadableBytes { hasher.combine(bytes: $0) }
        case .integer(let integer):
            var text = String(integer)
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
        return hasher.finalize()
    }
}
