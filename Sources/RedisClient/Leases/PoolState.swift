import NIOCore

/// Which connections are out, which wait to be taken, and who waits for one. Pure: says what to do.
struct PoolState<Connection: AnyObject & Sendable, Waiter: Sendable>: Sendable {
    enum Answer {
        case reuse(Connection)
        /// A place is taken; make the connection.
        case make
        /// All places are taken.
        case full
        case closed
    }

    /// What becomes of a connection that is given back.
    enum Return {
        case keep(stamp: UInt64)
        case hand(to: Waiter)
        case discard
        /// Its place goes to somebody who makes a new one.
        case discardAndMake(Waiter)
    }

    private let limit: Int
    private var idle: [(connection: Connection, stamp: UInt64)] = []
    private var out: [ObjectIdentifier: Connection] = [:]
    /// Those of ``out`` that are not to come back.
    private var outdated: Set<ObjectIdentifier> = []
    /// Places taken by connections that are about to be made.
    private var promised = 0
    private var waiting: [UInt64: Waiter] = [:]
    /// Tokens in the order of arrival; those who left are missing in ``waiting``.
    private var order = CircularBuffer<UInt64>()
    private var lastStamp: UInt64 = 0
    private(set) var isClosed = false

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// - Parameter isUsable: whether an idle connection still is one; others are dropped.
    mutating func take(isUsable: (Connection) -> Bool) -> Answer {
        if isClosed { return .closed }
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
        if isClosed { return false }
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

    mutating func giveBack(_ connection: Connection, isClean: Bool) -> Return {
        let id = ObjectIdentifier(connection)
        guard out.removeValue(forKey: id) != nil, !isClosed else { return .discard }
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
        lastStamp += 1
        idle.append((connection, lastStamp))
        return .keep(stamp: lastStamp)
    }

    mutating func nextWaiter() -> Waiter? {
        while let token = order.popFirst() {
            if let waiter = waiting.removeValue(forKey: token) { return waiter }
        }
        return nil
    }

    /// Takes out a connection that was not used since it was given back.
    mutating func expire(stamp: UInt64) -> Connection? {
        guard let index = idle.firstIndex(where: { $0.stamp == stamp }) else { return nil }
        return idle.remove(at: index).connection
    }

    /// From now on only new connections are given out.
    ///
    /// - Returns: those that wait to be taken.
    mutating func renew() -> [Connection] {
        outdated = Set(out.keys)
        defer { idle = [] }
        return idle.map(\.connection)
    }

    mutating func close() -> (connections: [Connection], waiters: [Waiter]) {
        isClosed = true
        defer { (idle, out, outdated, waiting, order, promised) = ([], [:], [], [:], [], 0) }
        return (idle.map(\.connection) + Array(out.values), Array(waiting.values))
    }
}
