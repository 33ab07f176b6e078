import NIOConcurrencyHelpers
import NIOCore
import RESP
import Testing

@Suite struct RedisSubscriptionTests {
    /// - Parameter bytes: of the channel and the payload.
    private func message(_ text: String, bytes: Int) -> RedisMessage {
        let rest = String(repeating: ".", count: bytes - 1 - text.count)
        return RedisMessage(channel: "c", payload: ByteBuffer(string: text + rest))
    }

    private func event(_ text: String, bytes: Int) -> RedisSubscriptionEvent { .message(message(text, bytes: bytes)) }

    @Test func keepsSoManyMessages() async throws {
        let (subscription, writer) = RedisSubscription.make(bufferingAtMost: 2, bytes: 1000)
        var events = subscription.makeAsyncIterator()
        for text in ["1", "2", "3", "4"] { writer.deliver(message(text, bytes: 10)) }
        #expect(try await events.next() == event("1", bytes: 10))
        #expect(try await events.next() == event("2", bytes: 10))
        #expect(try await events.next() == .overflowed)
        writer.deliver(message("5", bytes: 10))
        #expect(try await events.next() == event("5", bytes: 10))
    }

    @Test func keepsSoManyBytes() async throws {
        let (subscription, writer) = RedisSubscription.make(bufferingAtMost: 1000, bytes: 100)
        var events = subscription.makeAsyncIterator()
        for text in ["1", "2", "3", "4"] { writer.deliver(message(text, bytes: 50)) }
        #expect(try await events.next() == event("1", bytes: 50))
        writer.deliver(message("5", bytes: 50))
        writer.deliver(message("6", bytes: 50))
        #expect(try await events.next() == event("2", bytes: 50))
        #expect(try await events.next() == .overflowed)
        #expect(try await events.next() == event("5", bytes: 50))
        #expect(try await events.next() == .overflowed)
        writer.deliver(message("7", bytes: 100))
        #expect(try await events.next() == event("7", bytes: 100))
    }

    @Test func keepsOneOfAnySize() async throws {
        let (subscription, writer) = RedisSubscription.make(bufferingAtMost: 1000, bytes: 100)
        var events = subscription.makeAsyncIterator()
        for round in 0..<3 {
            writer.deliver(message("\(round)", bytes: 1000))
            writer.deliver(message("small", bytes: 10))
            #expect(try await events.next() == event("\(round)", bytes: 1000))
            #expect(try await events.next() == .overflowed)
        }
    }

    @Test func severalReadersShareTheEvents() async throws {
        let (subscription, writer) = RedisSubscription.make(bufferingAtMost: 1000, bytes: 1000)
        let texts = (0..<9).map { "\($0)" }
        try await withThrowingTaskGroup(of: [RedisSubscriptionEvent].self) { group in
            for _ in 0..<3 {
                group.addImmediateTask {
                    var taken: [RedisSubscriptionEvent] = []
                    for try await event in subscription { taken.append(event) }
                    return taken
                }
            }
            for text in texts { writer.deliver(message(text, bytes: 10)) }
            writer.finish()
            var taken: [RedisSubscriptionEvent] = []
            for try await part in group { taken += part }
            #expect(taken.count == texts.count)
            #expect(Set(taken) == Set(texts.map { event($0, bytes: 10) }))
        }
    }

    @Test func endsForAllReadersAndOnce() async throws {
        struct Refused: Error {}
        let (subscription, writer) = RedisSubscription.make(bufferingAtMost: 1000, bytes: 1000)
        writer.finish(throwing: Refused())
        for _ in 0..<2 {
            var events = subscription.makeAsyncIterator()
            do {
                let event = try await events.next()
                Issue.record("\(String(describing: event))")
            } catch is Refused {}
            #expect(try await events.next() == nil)
        }
    }

    @Test func endsWhenNobodyHoldsItAndWhenItsTaskIsCancelled() async throws {
        let ends = NIOLockedValueBox(0)
        let (held, writer) = RedisSubscription.make(bufferingAtMost: 1000, bytes: 1000)
        writer.onEnd { ends.withLockedValue { $0 += 1 } }
        let reader = Task { for try await _ in held {} }
        reader.cancel()
        try await reader.value
        #expect(ends.withLockedValue { $0 } == 1)
        do {
            let (dropped, writer) = RedisSubscription.make(bufferingAtMost: 1000, bytes: 1000)
            writer.onEnd { ends.withLockedValue { $0 += 1 } }
            var events = dropped.makeAsyncIterator()
            writer.deliver(message("1", bytes: 10))
            #expect(try await events.next() == event("1", bytes: 10))
        }
        #expect(ends.withLockedValue { $0 } == 2)
    }
}
