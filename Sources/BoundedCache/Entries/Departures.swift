/// Entries that left during a call, kept until no lock is held: then the listener is told and they are released, so
/// that no destructor runs under a lock. One costs no allocation.
@usableFromInline
package struct Departures<Key: Hashable & Sendable, Value: Sendable> {
    @usableFromInline
    struct Departure {
        @usableFromInline let key: Key
        @usableFromInline let value: Value
        @usableFromInline let cause: EvictionCause

        @inlinable
        init(_ key: consuming Key, _ value: consuming Value, _ cause: EvictionCause) {
            self.key = key
            self.value = value
            self.cause = cause
        }
    }

    @usableFromInline var first: Departure?
    @usableFromInline var others: [Departure] = []

    @inlinable package init() {}

    @inlinable
    mutating func append(_ key: consuming Key, _ value: consuming Value, _ cause: EvictionCause) {
        let departure = Departure(key, value, cause)
        if first == nil { first = departure } else { others.append(departure) }
    }

    @inlinable
    mutating func append(_ entry: consuming BoundedCache<Key, Value>.Entry, _ cause: EvictionCause) {
        append(entry.key, entry.value, cause)
    }

    @inlinable
    func tell(_ listener: (@Sendable (Key, Value, EvictionCause) -> Void)?) {
        guard let listener, let first else { return }
        listener(first.key, first.value, first.cause)
        for other in others { listener(other.key, other.value, other.cause) }
    }
}
