import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Events that wait, and their room")
struct EventQueueTests {
    private let event = ByteBuffer(string: "0123456789")

    @Test("one that is full ends, and gives back its room although nobody reads")
    func overflow() {
        for (limit, bytes) in [(3, 100), (100, 30)] {
            let budget = ByteBudget(limit: 100)
            let queue = UpstashEventQueue(limit: limit, room: budget.share(limit: bytes))
            for _ in 0..<3 { #expect(queue.put(event)) }
            queue.putComment()
            #expect(!budget.share().take(71))
            #expect(!queue.put(event))
            #expect(budget.share().take(100))
            #expect(queue.next() == nil)
            #expect(!queue.put(event))
        }
    }

    @Test("one that has ended is read to its end, and an event takes its room until it is written")
    func end() async {
        let budget = ByteBudget(limit: 20)
        let queue = UpstashEventQueue(limit: 100, room: budget.share())
        for _ in 0..<2 { #expect(queue.put(event)) }
        queue.finish()
        #expect(!queue.put(event))
        var count = 0
        for await _ in queue.signals {
            while let event = queue.next() {
                count += 1
                #expect(!budget.share().take(30 - 10 * (2 - count)))
                queue.written(event)
            }
        }
        #expect(count == 2)
        #expect(budget.share().take(20))
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
