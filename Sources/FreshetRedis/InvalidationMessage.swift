public import Freshet

/// What the scripts publish when they change a field's entry, so that other processes drop their copies of it.
///
/// Its text is the generation, the action, the mark of the lease or `-`, and the key, with one space between; the key is
/// last because it may hold anything. Its line ends are written otherwise: over REST a message comes line by line, and all
/// kinds of them look alike.
public struct InvalidationMessage: Sendable, Hashable {
    /// The channel the messages are published on.
    public static let channel = "freshet:invalidations"
    /// What to say where the store's user may not publish there.
    static let refusal = "the user of the store may not publish on \(channel): grant it +publish and &\(channel)"

    /// What became of the entry.
    public enum Action: String, Sendable, Hashable {
        /// A value or an absence was stored, or another program's value was adopted.
        case fill
        /// The value is stale.
        case expire
        /// The value is gone.
        case remove
    }

    /// The generation of the key since then.
    public var generation: String
    public var action: Action
    /// The `mark` of the `Lease` under which what was stored was loaded, if it was.
    public var leaseMark: String?
    public var key: String

    public init(generation: String, action: Action, leaseMark: String? = nil, key: String) {
        self.generation = generation
        self.action = action
        self.leaseMark = leaseMark
        self.key = key
    }

    /// The message a payload is; nil if it is none, as a later version of Freshet may publish.
    public init?(payload: some StringProtocol) {
        // A key that begins with a combining mark makes one character with the space before it.
        let parts = payload.utf8.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 4, !parts[0].isEmpty, let action = Action(rawValue: parts[1]), !parts[2].isEmpty,
            !parts[3].isEmpty
        else { return nil }
        let mark = parts[2] == "-" ? nil : parts[2]
        self.init(generation: parts[0], action: action, leaseMark: mark, key: Self.unescaped(parts[3]))
    }

    public var payload: String { "\(generation) \(action.rawValue) \(leaseMark ?? "-") \(Self.escaped(key))" }

    /// What it means to the caches of a process.
    public var event: BackplaneEvent {
        let change: BackplaneEvent.Change =
            switch action {
            case .fill: .filled(under: leaseMark)
            case .expire: .invalidated(.expire)
            case .remove: .invalidated(.remove)
            }
        return .changed(key: key, change, Generation(generation))
    }
}

extension InvalidationMessage {
    /// What a key has no longer, and what it has instead behind the first of them. The scripts do likewise.
    private static let escapes: [(byte: UInt8, letter: UInt8)] = [
        (0x1B, UInt8(ascii: "e")), (0x0D, UInt8(ascii: "r")), (0x0A, UInt8(ascii: "n")),
    ]

    private static func escaped(_ key: String) -> String {
        let bytes = escapes.reduce(Array(key.utf8)) { $0.replacing([$1.byte], with: [escapes[0].byte, $1.letter]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func unescaped(_ text: String) -> String {
        let bytes = escapes.reversed().reduce(Array(text.utf8)) {
            $0.replacing([escapes[0].byte, $1.letter], with: [$1.byte])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
