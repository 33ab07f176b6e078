/// Why an entry left a ``BoundedCache``.
public enum EvictionCause: String, Sendable, Hashable, CaseIterable {
    /// Another entry needed the room, or the limit was lowered.
    case capacity
    /// Its time to live or time to idle was over.
    case expired
    /// Another value was stored under its key.
    case replaced
    /// It was removed by ``BoundedCache/remove(_:)``, ``BoundedCache/removeAll()`` or an update, or another value that
    /// was refused was to take its place.
    case removed
}
