import NIOCore

/// Which connections are out, which wait to be taken, and who waits for one. Pure: says what to do.
struct PoolState<Connection: AnyObject & Sendable, Waiter: Sendable>: Sendable {
    enum Answer {
        case reuse(Connection)
        /// A place is taken; make the connection.
        case make
        /// All places are taken.
        case full
        case closed(RedisClientError)
    }

    /// What becomes of a connection that is given back.
    enum Return {
        /// - Parameter isFirst: whether nobody looks yet at those that are not used.
        case keep(isFirst: Bool)
        case hand(to: Waiter)
        case discard
        /// Its place goes to somebody who makes a new one.
        case discardAndMake(Waiter)
    }

    private let limit: Int
    /// Those that wait longest come first.
    private var idle: [(connection: Connection, since: NIODeadline)] = []
    private var out: [ObjectIdentifier: Connection] = [:]
    /// Those of ``out`` that are not to come back.
    private var outdated: Set<ObjectIdentifier> = []
    /// Places taken by connections that are about to be made.
    private var promised = 0
    private var waiting: [UInt64: Waiter] = [:]
    /// Tokens in the order of arrival; those who left are missing in ``waiting``.
    private var order = CircularBuffer<UInt64>()
    private var isWatched = false
    /// Why it is closed.
    private(set) var ending: RedisClientError?

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// - Parameter isUsable: whether an idle connection still is one; others are dropped.
    mutating func take(isUsable: (Connection) -> Bool) -> Answer {
        if let ending { return .closed(ending) }
        // The one used last is the one most likely to be alive.
        while let entry = idle.popLast() {
            guard isUsable(entry.connection) else { continue }
            out[ObjectIdentifier(entry.connection)] = entry.connection
            return .reuse(entry.connection)
        }
        guard out.count + promised < limit else { return .full }
        promised += 1
        return .make
    }

    /// The connection for a place that was promised.
    ///
    /// - Returns: whether it is wanted.
    mutating func made(_ connection: Connection) -> Bool {
        if ending != nil { return false }
        promised -= 1
        out[ObjectIdentifier(connection)] = connection
        return true
    }

    mutating func wait(_ token: UInt64, _ waiter: Waiter) {
        waiting[token] = waiter
        order.append(token)
        if order.count > 2 * waiting.count + 16 { order.removeAll { waiting[$0] == nil } }
    }

    var waitingCount: Int { waiting.count }

    mutating func leave(_ token: UInt64) -> Waiter? {
        waiting.removeValue(forKey: token)
    }

    mutating func giveBack(_ connection: Connection, isClean: Bool, at now: NIODeadline) -> Return {
        let id = ObjectIdentifier(connection)
        guard out.removeValue(forKey: id) != nil, ending == nil else { return .discard }
        let isClean = outdated.remove(id) == nil && isClean
        let waiter = nextWaiter()
        if let waiter, isClean {
            out[id] = connection
            return .hand(to: waiter)
        }
        if let waiter {
            promised += 1
            return .discardAndMake(waiter)
        }
        guard isClean else { return .discard }
        idle.append((connection, now))
        defer { isWatched = true }
        return .keep(isFirst: !isWatched)
    }

    mutating func nextWaiter() -> Waiter? {
        while let token = order.popFirst() {
            if let waiter = waiting.removeValue(forKey: token) { return waiter }
        }
        return nil
    }

    /// Takes out the connections that were not used for so long.
    ///
    /// - Returns: them, and since when the next one is not used; `nil` if nobody needs to look again.
    mutating func expire(unusedSince time: NIODeadline) -> ([Connection], next: NIODeadline?) {
        let expired = idle.prefix { $0.since <= time }.map(\.connection)
        idle.removeFirst(expired.count)
        isWatched = !idle.isEmpty
        return (expired, idle.first?.since)
    }

    /// From now on only new connections are given out.
    ///
    /// - Returns: those that wait to be taken.
    mutating func renew() -> [Connection] {
        outdated = Set(out.keys)
        defer { idle = [] }
        return idle.map(\.connection)
    }

    mutating func close(_ reason: RedisClientError) -> (connections: [Connection], waiters: [Waiter]) {
        if ending == nil { ending = reason }
        defer { (idle, out, outdated, waiting, order, promised) = ([], [:], [], [:], [], 0) }
        return (idle.map(\.connection) + Array(out.values), Array(waiting.values))
    }
}
