/// What is asked of a store, as `operation` names it in metrics and logs.
public enum StoreOperation: Int, CaseIterable, Sendable {
    case ping, get, mget, set, del, exists, incr, expire, ttl, hget, hset, hgetall, hdel
    case read, check, lease, fill, drop, fail, release, invalidate
    case pace
}
