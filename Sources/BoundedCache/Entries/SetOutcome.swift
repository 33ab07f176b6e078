/// What became of a value given to ``BoundedCache/set(_:_:timeToLive:)``.
public enum SetOutcome: Sendable, Hashable {
    /// Stored under a key that held nothing.
    case inserted
    /// Stored in place of an older value.
    case replaced
    /// Refused: the entry alone is heavier than the whole cache, or than `UInt32.max`.
    case oversized
    /// Refused: its time to live or to idle was zero or negative, so that it was never alive.
    case expired
}
