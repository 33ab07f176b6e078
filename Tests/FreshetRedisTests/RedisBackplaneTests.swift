import Freshet
import FreshetRedis
import FreshetTesting
import NIOConcurrencyHelpers
import RESP
import Testing

/// Refuses so many subscriptions, and then gives one that the test writes to.
private final class Subscriber: ChannelSubscriber {
    struct Refused: Error {}

    private let state: NIOLockedValueBox<(refusals: Int, attempts: Int)>
    let subscription: RedisSubscription
    let writer: SubscriptionWriter

    init(refusals: Int) {
        state = NIOLockedValueBox((refusals, 0))
        (subscription, writer) = RedisSubscription.make(bufferingAtMost: 10, bytes: 1000)
    }

    var attempts: Int { state.withLockedValue { $0.attempts } }

    func subscribe(to channels: [String]) async throws -> RedisSubscription {
        let isRefused = state.withLockedValue { state in
            state.attempts += 1
            return state.attempts <= state.refusals
        }
        if isRefused { throw Refused() }
        return subscription
    }
}

@Suite("Backplane over Redis")
struct RedisBackplaneTests {
    @Test("a refused subscription is asked for again a second later, by the clock it was given")
    func refused() async throws {
        let spawner = TestSpawner()
        let client = Subscriber(refusals: 2)
        let events = NIOLockedValueBox<[BackplaneEvent]>([])
        let backplane = RedisBackplane(client: client, spawner: spawner)
        let listening = Task { await backplane.listen { event in events.withLockedValue { $0.append(event) } } }
        for attempt in 1...2 {
            try await spawner.waitForSleepers(1)
            #expect(client.attempts == attempt)
            await spawner.advance(by: .milliseconds(999))
            #expect(client.attempts == attempt)
            await spawner.advance(by: .milliseconds(1))
        }
        try await waitUntil("the subscription") { events.withLockedValue { $0.last } == .live }
        client.writer.finish()
        await listening.value
        #expect(events.withLockedValue { $0 } == [.lost, .live, .lost])
        #expect(client.attempts == 3)
    }
}
