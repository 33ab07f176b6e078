/// The name under which a field's companion is stored beside the value itself, in the same Redis Cluster slot.
///
/// A key with a hash tag (`{eu}:agents`) has its companion at `{eu}:agents:meta`; any other (`agents`) at
/// `{agents}:meta`, whose hash tag is the whole key.
public struct CompanionKey: Sendable, Hashable, CustomStringConvertible {
    /// The key of the value.
    public let key: String
    /// The key of the companion.
    public let name: String

    public var description: String { name }

    /// - Throws: `CacheError` with `invalidArgument` for an empty key, and for one with unbalanced or empty braces,
    ///   for which no companion would surely share the slot.
    public init(of key: String) throws {
        self.key = key
        self.name = try Self.hasHashTag(key) ? "\(key):meta" : "{\(key)}:meta"
    }

    /// Throws what ``init(of:)`` would throw.
    static func validate(_ key: String) throws { _ = try hasHashTag(key) }

    /// Whether the key has braces at all: if they are balanced and none are empty, the first pair is its hash tag.
    private static func hasHashTag(_ key: String) throws -> Bool {
        guard !key.isEmpty else { throw CacheError(.invalidArgument, "a field's key must not be empty") }
        var depth = 0
        var previous: UInt8 = 0
        var hasBraces = false
        for byte in key.utf8 {
            if byte == UInt8(ascii: "{") {
                depth += 1
                hasBraces = true
            } else if byte == UInt8(ascii: "}") {
                depth -= 1
                if depth < 0 || previous == UInt8(ascii: "{") { break }
            }
            previous = byte
        }
        guard depth == 0, previous != UInt8(ascii: "{") else {
            throw CacheError(.invalidArgument, "a field's key must not have unbalanced or empty braces: '\(key)'")
        }
        return hasBraces
    }
}
