/// What a copy of the server's data no longer holds.
public enum RedisInvalidation: Sendable, Hashable {
    /// These keys were changed, deleted, evicted, or expired since they were read.
    case keys([String])
    /// Whatever was read before may have changed.
    case everything(Reason)

    public enum Reason: Sendable, Hashable {
        /// The server said so: a database was flushed, or it gave up counting.
        case flushed
        /// The connection was lost, and with it what the server remembered.
        case disconnected
        /// Slots of the cluster, or what sentinels watch, have another primary, which does not know what was read.
        case moved
        /// The reader of this sequence is too slow.
        case overflowed
    }
}
