/// How the processes that share a store tell each other of changed entries.
///
/// Keys are told as ``FieldCache`` names them: a backplane for a store that renames keys has to turn the names back. Else
/// nothing is heard, while what is held is trusted ten times as long.
public protocol Backplane: Sendable {
    /// Hands over what happens, in order, until the task is cancelled.
    ///
    /// A backplane that loses its connection says so, and connects again by itself.
    func listen(_ receive: @escaping @Sendable (BackplaneEvent) -> Void) async
}

/// What a ``Backplane`` tells.
public enum BackplaneEvent: Sendable, Hashable {
    /// From now on every change is told. What happened before may have been missed.
    case live
    /// Changes may be missed.
    case lost
    /// A key has changed, and has that generation since.
    case changed(key: String, Change, Generation)
    /// Somebody has changed what is stored under a key, another program maybe, or it has come to its end.
    case written(key: String)
    /// That may have happened to any key.
    case everythingWritten

    public enum Change: Sendable, Hashable {
        /// A value or an absence was stored, under the lease with that ``Lease/mark``; nil where what another program
        /// wrote was adopted.
        case filled(under: String?)
        case invalidated(Invalidation)
    }
}
