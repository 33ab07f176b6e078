/// One count for each cause.
@usableFromInline
struct EvictionCounts: Sendable, Hashable {
    var capacity: UInt64 = 0
    var expired: UInt64 = 0
    var replaced: UInt64 = 0
    var removed: UInt64 = 0

    @usableFromInline
    subscript(cause: EvictionCause) -> UInt64 {
        get {
            switch cause {
            case .capacity: capacity
            case .expired: expired
            case .replaced: replaced
            case .removed: removed
            }
        }
        set {
            switch cause {
            case .capacity: capacity = newValue
            case .expired: expired = newValue
            case .replaced: replaced = newValue
            case .removed: removed = newValue
            }
        }
    }
}
