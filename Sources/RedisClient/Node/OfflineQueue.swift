import NIOCore
import RESP

/// Commands that wait for a connection, in their order. Bounded in number and bytes.
struct OfflineQueue {
    struct Entry {
        let waiter: Waiter
        /// None where the caller sends them elsewhere once there is a connection.
        var commands: [RESPCommand] = []
        let byteCount: Int
    }

    private let maxCommands: Int
    private let maxBytes: Int
    private(set) var entries = CircularBuffer<Entry>()
    private var commandCount = 0
    private var byteCount = 0
    /// Entries whose callers have left. Removing each from the middle would make the cancellation of thousands
    /// quadratic.
    private var emptyCount = 0

    init(maxCommands: Int, maxBytes: Int) {
        self.maxCommands = maxCommands
        self.maxBytes = maxBytes
    }

    /// Callers that wait.
    var count: Int { entries.count - emptyCount }

    /// - Returns: whether there was room for it.
    mutating func append(_ entry: Entry) -> Bool {
        let hasRoom =
            commandCount + entry.waiter.replies <= maxCommands && byteCount + entry.byteCount <= maxBytes
        // One alone is no backlog, whatever its length.
        guard count == 0 || hasRoom else { return false }
        entries.append(entry)
        commandCount += entry.waiter.replies
        byteCount += entry.byteCount
        return true
    }

    mutating func removeAll() -> [Entry] {
        defer { self = OfflineQueue(maxCommands: maxCommands, maxBytes: maxBytes) }
        return entries.filter { !$0.waiter.isDetached }
    }

    /// Lets go of one waiter.
    mutating func remove(token: UInt64) -> Waiter? {
        guard let index = entries.firstIndex(ofToken: token, by: \.waiter.token) else { return nil }
        let entry = entries[index]
        if entry.waiter.isDetached { return nil }
        entries[index] = Entry(waiter: entry.waiter.detached, byteCount: 0)
        emptyCount += 1
        subtract(entry)
        if emptyCount > entries.count / 2 { removeEmpty() }
        return entry.waiter
    }

    /// Lets go of those whose deadline has passed.
    ///
    /// - Returns: them, and the earliest deadline of the others.
    mutating func removeOverdue(at now: NIODeadline) -> ([Waiter], NIODeadline?) {
        let overdue = removeAll { $0.deadline <= now }
        return (overdue, entries.lazy.map(\.waiter.deadline).min())
    }

    /// Lets go of those to whom something applies.
    mutating func removeAll(where isWanted: (Waiter) -> Bool) -> [Waiter] {
        removeEmpty()
        let wanted = entries.filter { isWanted($0.waiter) }
        if !wanted.isEmpty {
            entries.removeAll { isWanted($0.waiter) }
            for entry in wanted { subtract(entry) }
        }
        return wanted.map(\.waiter)
    }

    private mutating func removeEmpty() {
        if emptyCount > 0 { entries.removeAll { $0.waiter.isDetached } }
        emptyCount = 0
    }

    private mutating func subtract(_ entry: Entry) {
        commandCount -= entry.waiter.replies
        byteCount -= entry.byteCount
    }
}
