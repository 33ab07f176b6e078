import NIOCore
import Testing

@testable import RedisClient

@Suite struct OfflineQueueTests {
    private func entry(_ token: UInt64, commands: Int = 1, byteCount: Int = 10) -> OfflineQueue.Entry {
        let waiter = Waiter(token: token, deadline: .distantFuture, replies: commands, completion: .probe)
        return OfflineQueue.Entry(waiter: waiter, byteCount: byteCount)
    }

    @Test func whoLeavesTakesHisEntryAlong() {
        var queue = OfflineQueue(maxCommands: 10, maxBytes: 1000)
        var hasRoom = queue.append(entry(1))
        var longest = 0
        for token in UInt64(2)...10_000 where hasRoom {
            hasRoom = queue.append(entry(token)) && queue.remove(token: token)?.token == token
            longest = max(longest, queue.entries.count)
        }
        #expect(hasRoom)
        #expect(longest <= 3)
        #expect(queue.count == 1)
        let again = queue.remove(token: 1)
        #expect(again != nil)
        #expect(queue.entries.isEmpty)
    }

    @Test func whoeverStaysKeepsHisPlace() {
        var queue = OfflineQueue(maxCommands: 100, maxBytes: 1000)
        for token in UInt64(1)...100 { _ = queue.append(entry(token)) }
        for token in UInt64(1)...100 where !token.isMultiple(of: 7) {
            let left = queue.remove(token: token)
            let again = queue.remove(token: token)
            #expect(left?.token == token && again == nil)
        }
        #expect(queue.count == 14)
        #expect(queue.removeAll().map(\.waiter.token) == stride(from: 7, through: 98, by: 7).map { $0 })
        #expect(queue.count == 0)
    }

    @Test func boundsCommandsAndBytesExceptOfOneAlone() {
        var queue = OfflineQueue(maxCommands: 10, maxBytes: 100)
        func add(_ entry: OfflineQueue.Entry) -> Bool { queue.append(entry) }
        #expect(add(entry(1, commands: 11, byteCount: 101)))
        #expect(!add(entry(2)))
        _ = queue.remove(token: 1)
        #expect(add(entry(3, commands: 4, byteCount: 60)))
        #expect(!add(entry(4, commands: 7, byteCount: 1)))
        #expect(!add(entry(5, commands: 1, byteCount: 41)))
        #expect(add(entry(6, commands: 6, byteCount: 40)))
        _ = queue.removeOverdue(at: .distantFuture)
        #expect(queue.count == 0)
        #expect(add(entry(7, commands: 10, byteCount: 100)))
    }
}
