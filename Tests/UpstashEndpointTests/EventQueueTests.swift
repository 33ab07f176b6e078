import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Events that wait, and their room")
struct EventQueueTests {
    /// Ten bytes, others each time.
    private var event: ByteBuffer { ByteBuffer(bytes: (0..<10).map { _ in UInt8.random(in: .min ... .max) }) }

    @Test("one that is full ends, and gives back its room although nobody reads")
    func overflow() {
        for (limit, bytes) in [(3, 100), (100, 30)] {
            let queues = UpstashEventQueues(maxEvents: limit, maxBytes: bytes, maxBytesInAll: 100)
            let (queue, other) = (queues.add(), queues.add())
            for _ in 0..<3 { #expect(queue.put(event)) }
            #expect(other.put(event))
            queue.putComment()
            #expect(!queue.put(event))
            #expect(queue.next() == nil)
            #expect(!queue.put(event))
            // It was its own limit.
            #expect(other.put(event))
            #expect(other.next() != nil)
        }
        let queues = UpstashEventQueues(maxEvents: 100, maxBytes: 100, maxBytesInAll: 30)
        let queue = queues.add()
        for _ in 0..<3 { #expect(queue.put(event)) }
        #expect(!queue.put(event))
        let next = queues.add()
        for _ in 0..<3 { #expect(next.put(event)) }
    }

    @Test("where all are full and as much waits for two, it is the one that wants more")
    func tie() {
        for _ in 0..<20 {
            let queues = UpstashEventQueues(maxEvents: 100, maxBytes: 100, maxBytesInAll: 20)
            let (queue, other) = (queues.add(), queues.add())
            #expect(queue.put(event) && other.put(event))
            #expect(!queue.put(event))
            #expect(other.put(event))
        }
    }

    @Test("where all are full, those end for whom most waits, not who keeps up")
    func crowd() {
        let queues = UpstashEventQueues(maxEvents: 100, maxBytes: 100, maxBytesInAll: 100)
        let (stalled, slow, quick) = (queues.add(), queues.add(), queues.add())
        for _ in 0..<5 { #expect(stalled.put(event)) }
        for _ in 0..<4 { #expect(slow.put(event)) }
        // What is being written has been waited for.
        #expect(quick.put(event))
        #expect(quick.next() != nil)
        #expect(quick.put(event))
        #expect(stalled.next() == nil)
        #expect(!stalled.put(event))
        for _ in 0..<4 { #expect(slow.put(event)) }
        // Now it is the one itself.
        #expect(!slow.put(event))
        #expect(slow.next() == nil)
        #expect(quick.next() != nil)
        // One that has left is none of them, and its room is free.
        do {
            let left = queues.add()
            for _ in 0..<8 { #expect(left.put(event)) }
            queues.remove(left)
        }
        for _ in 0..<8 { #expect(quick.put(event)) }
    }

    @Test("one that has ended is read to its end, and an event takes its room until it is written")
    func end() async {
        let queues = UpstashEventQueues(maxEvents: 100, maxBytes: 100, maxBytesInAll: 20)
        let (queue, other) = (queues.add(), queues.add())
        for _ in 0..<2 { #expect(queue.put(event)) }
        queue.finish()
        #expect(!queue.put(event))
        var count = 0
        for await _ in queue.signals {
            while let event = queue.next() {
                count += 1
                // A comment ends nobody.
                other.putComment()
                #expect((other.next() == nil) == (count == 1))
                queue.written(event)
            }
        }
        #expect(count == 2)
    }

    @Test("one that waits for several is in memory once and takes its room once, until the last of them has it")
    func sharing() throws {
        let queues = UpstashEventQueues(maxEvents: 100, maxBytes: 100, maxBytesInAll: 100)
        let (first, second, third, other) = (queues.add(), queues.add(), queues.add(), queues.add())
        for queue in [first, second, third] { #expect(queue.put(ByteBuffer(repeating: 1, count: 40))) }
        #expect(other.put(ByteBuffer(repeating: 2, count: 60)))
        func hasRoom() -> Bool {
            let last = queues.add()
            defer { queues.remove(last) }
            last.putComment()
            return last.next().map(last.written) != nil
        }
        let (one, two) = (try #require(first.next()), try #require(second.next()))
        let addresses = [one, two].map { $0.bytes.withUnsafeReadableBytes { $0.baseAddress } }
        #expect(addresses[0] == addresses[1])
        first.written(one)
        second.written(two)
        #expect(!hasRoom())
        queues.remove(third)
        #expect(hasRoom())
        #expect(first.put(ByteBuffer(repeating: 3, count: 40)))
        #expect(!hasRoom())
    }

    @Test("others of the same digest are others")
    func collision() throws {
        let queues = UpstashEventQueues(maxEvents: 100, maxBytes: 100, maxBytesInAll: 30)
        let events = (1...UInt8(3)).map { byte in
            UpstashEventRoom.Event(digest: 0, bytes: ByteBuffer(repeating: byte, count: 10))
        }
        let taken = try events.map { try #require(queues.take($0)) }
        #expect(taken.map(\.bytes) == events.map(\.bytes))
        #expect(queues.take(events[1]) == taken[1])
        for event in taken { queues.giveBack(event) }
        // The one that was taken twice has its room still.
        let others = (0..<3).map { _ in queues.take(UpstashEventRoom.Event(event)) }
        #expect(others.map { $0 != nil } == [true, true, false])
    }

    @Test("what asks for too much takes nothing from others meanwhile")
    func refusals() async {
        let budget = ByteBudget(limit: 100)
        let (hasBegun, isDone) = (NIOLockedValueBox(false), NIOLockedValueBox(false))
        await withTaskGroup(of: Int.self) { group in
            group.addTask {
                let share = budget.share()
                while !isDone.withLockedValue({ $0 }) {
                    if share.take(101) { return 1 }
                    hasBegun.withLockedValue { $0 = true }
                }
                return 0
            }
            #expect(await eventually { hasBegun.withLockedValue { $0 } })
            let share = budget.share()
            var refused = 0
            for _ in 0..<100_000 { if share.take(1) { share.giveBack(1) } else { refused += 1 } }
            isDone.withLockedValue { $0 = true }
            #expect(refused == 0)
            for await granted in group { #expect(granted == 0) }
        }
    }
}
