/// Conditions and expiry of a `set`, in the words of Redis' SET.
public struct CacheOptions: Sendable, Hashable {
    /// When the value expires.
    public enum Expiry: Sendable, Hashable {
        /// Never.
        case never
        /// After this time. Less than a millisecond counts as one, more than 292 years as that.
        case after(Duration)
        /// Whenever the value it replaces would have.
        case keep
    }

    /// What must hold for the value to be stored.
    public enum Condition: Sendable, Hashable {
        case always
        /// NX: the key must not exist.
        case ifMissing
        /// XX: the key must exist.
        case ifPresent
    }

    public var expiry: Expiry
    public var condition: Condition

    public init(expiry: Expiry = .never, condition: Condition = .always) {
        self.expiry = expiry
        self.condition = condition
    }

    /// Options in Redis' own words.
    ///
    /// - Parameters:
    ///   - ex: seconds until the value expires.
    ///   - px: milliseconds until the value expires.
    ///   - nx: store only if the key does not exist.
    ///   - xx: store only if the key exists.
    ///   - keepTTL: keep the expiry of the value that is replaced.
    /// - Throws: `CacheError` with `invalidArgument` where two of them contradict each other or a time is not from 1 to 2^50.
    public init(ex: Int? = nil, px: Int? = nil, nx: Bool = false, xx: Bool = false, keepTTL: Bool = false) throws {
        if nx && xx { throw CacheError(.invalidArgument, "nx and xx exclude each other") }
        switch (ex, px, keepTTL) {
        case (nil, nil, false): expiry = .never
        case (nil, nil, true): expiry = .keep
        case (let seconds?, nil, false): expiry = .after(.seconds(try Self.positive(seconds, "ex")))
        case (nil, let milliseconds?, false): expiry = .after(.milliseconds(try Self.positive(milliseconds, "px")))
        default: throw CacheError(.invalidArgument, "ex, px and keepTTL exclude each other")
        }
        condition = nx ? .ifMissing : xx ? .ifPresent : .always
    }

    private static func positive(_ time: Int, _ name: String) throws -> Int {
        guard (1...1 << 50).contains(time) else {
            throw CacheError(.invalidArgument, "\(name) must be a time from 1 to \(1 << 50), not \(time)")
        }
        return time
    }
}
