import Freshet
import FreshetTesting
import NIOConcurrencyHelpers
import Testing

@testable import FreshetAirtable

@Suite("Limiter: waiting for one's turn")
struct BaseLimiterTests {
    private let spawner = TestSpawner()

    private func limiter() -> BaseLimiter {
        BaseLimiters(spawner: spawner).limiter(endpoint: "https://airtable.example")
    }

    /// Starts one that waits for its turn and writes down when it came.
    private func enter(
        _ limiter: BaseLimiter,
        _ log: NIOLockedValueBox<[String]>,
        _ name: String,
        base: String = "appA"
    ) async -> SpawnedTask {
        let task = spawner.spawn { [spawner] in
            let outcome: String
            do {
                try await limiter.acquire(base, token: "token")
                outcome = "\(spawner.now().nanoseconds / 1_000_000)"
            } catch {
                outcome =
                    error is CancellationError ? "cancelled" : "\((error as? CacheError)?.code.description ?? "?")"
            }
            log.withLockedValue { $0.append("\(name) \(outcome)") }
        }
        await spawner.settle()
        return task
    }

    @Test("Turns come in order, 215 ms apart")
    func pacing() async {
        let limiter = limiter()
        let log = NIOLockedValueBox<[String]>([])
        for name in ["a", "b", "c"] { _ = await enter(limiter, log, name) }
        await spawner.advance(by: .seconds(1))
        #expect(log.withLockedValue { $0 } == ["a 0", "b 215", "c 430"])
        #expect(spawner.runningTasks == 0)
    }

    @Test("A waiter that is cancelled goes at once, and the next has its turn")
    func cancelling() async {
        let limiter = limiter()
        let log = NIOLockedValueBox<[String]>([])
        _ = await enter(limiter, log, "a")
        let second = await enter(limiter, log, "b")
        _ = await enter(limiter, log, "c")
        second.cancel()
        await spawner.settle()
        #expect(log.withLockedValue { $0 } == ["a 0", "b cancelled"])
        await spawner.advance(by: .seconds(1))
        #expect(log.withLockedValue { $0 } == ["a 0", "b cancelled", "c 215"])
    }

    @Test("A closure frees all who wait with an error, and ends after 30 s")
    func closing() async {
        let limiter = limiter()
        let log = NIOLockedValueBox<[String]>([])
        for name in ["a", "b", "c"] { _ = await enter(limiter, log, name) }
        limiter.close("appA", token: "token", for: .seconds(30), because: .rateLimit)
        await spawner.settle()
        #expect(Set(log.withLockedValue { $0 }) == ["a 0", "b overloaded", "c overloaded"])
        await spawner.advance(by: .milliseconds(29_999))
        _ = await enter(limiter, log, "d")
        await spawner.advance(by: .milliseconds(1))
        _ = await enter(limiter, log, "e")
        #expect(log.withLockedValue { $0.suffix(2) } == ["d overloaded", "e 30000"])
    }

    @Test("A spent quota is told to all who ask until the time is over")
    func quota() async {
        let limiter = limiter()
        limiter.close("appA", token: "token", for: .seconds(3600), because: .quota)
        // One that was on its way already.
        limiter.close("appA", token: "token", for: .seconds(30), because: .rateLimit)
        await #expect {
            try await limiter.acquire("appA", token: "token")
        } throws: { error in
            let error = error as? CacheError
            return error?.code == .sourceFailed && error?.retryAfter == .seconds(3600)
                && error?.refusal == .quota && error?.message.contains("this month") == true
        }
        await spawner.advance(by: .seconds(3600))
        await #expect(throws: Never.self) { try await limiter.acquire("appA", token: "token") }
    }

    @Test("Who waits as a token is closed hears how long that lasts")
    func waitingForClosedToken() async throws {
        let limiter = limiter()
        limiter.close("appB", token: "token", for: .seconds(60), because: .rateLimit)
        try await limiter.acquire("appA", token: "token")
        let failure = NIOLockedValueBox<CacheError?>(nil)
        _ = spawner.spawn {
            do { try await limiter.acquire("appA", token: "token") } catch {
                failure.withLockedValue { $0 = error as? CacheError }
            }
        }
        await spawner.settle()
        limiter.close("appA", token: "token", for: .seconds(30), because: .rateLimit)
        await spawner.settle()
        #expect(failure.withLockedValue { $0?.retryAfter } == .seconds(60))
        #expect(failure.withLockedValue { $0?.message.contains("with their token for a while") } == true)
    }

    @Test(
        "What a closure says, which is remembered meanwhile, does not grow old",
        arguments: [LimiterState.Closure.rateLimit, .rateLimitOfToken, .quota]
    )
    func message(_ closure: LimiterState.Closure) async {
        let limiter = limiter()
        limiter.close("appA", token: nil, for: .seconds(30), because: closure)
        let first = await cacheError { try await limiter.acquire("appA", token: "token") }
        await spawner.advance(by: .seconds(20))
        let second = await cacheError { try await limiter.acquire("appA", token: "token") }
        #expect(first?.message == second?.message)
        #expect(second?.retryAfter == .seconds(10))
    }

    @Test("An endpoint has one limiter, however many ask for it")
    func sharing() {
        let limiters = BaseLimiters(spawner: spawner)
        let first = limiters.limiter(endpoint: "https://a.example")
        #expect(limiters.limiter(endpoint: "https://a.example") === first)
        #expect(limiters.limiter(endpoint: "https://b.example") !== first)
    }

    @Test("Who comes to an idle base waits for the turns of a token, not behind the queues of other bases")
    func idleBase() async {
        let limiter = limiter()
        let log = NIOLockedValueBox<[String]>([])
        for index in 0..<100 { _ = await enter(limiter, log, "busy", base: "app\(index % 2)") }
        await spawner.advance(by: .seconds(1))
        _ = await enter(limiter, log, "idle")
        #expect(log.withLockedValue { $0.last } == "idle 1000")
        _ = await enter(limiter, log, "next", base: "appB")
        await spawner.advance(by: .milliseconds(22))
        #expect(log.withLockedValue { $0.last } == "next 1021")
    }

    @Test("Where all together are too many they take turns, and who comes later gets his in the next round")
    func rounds() async {
        let limiter = limiter()
        let log = NIOLockedValueBox<[String]>([])
        for index in 0..<100 { _ = await enter(limiter, log, "\(index % 20)", base: "app\(index % 20)") }
        await spawner.advance(by: .milliseconds(430))
        _ = await enter(limiter, log, "late")
        await spawner.advance(by: .seconds(3))
        let names = log.withLockedValue { $0.map { $0.prefix { $0 != " " } } }
        let round = (0..<20).map { Substring("\($0)") }
        let expected = [round, Array(round.prefix(11)), ["late"], Array(round.dropFirst(11)), round, round, round]
        #expect(names == Array(expected.joined()))
        #expect(log.withLockedValue { $0.last } == "19 2150")
        #expect(spawner.runningTasks == 0)
    }

    @Test("A thousand waiters, a third of them cancelled, all get an answer")
    func crowd() async throws {
        let limiter = BaseLimiter(interval: .zero, spawner: SystemSpawner())
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<1000 {
                group.addTask {
                    let task = Task { try await limiter.acquire("appA", token: "token") }
                    if index % 3 == 0 { task.cancel() }
                    return (try? await task.value) != nil
                }
            }
            return await group.reduce(into: [false: 0, true: 0]) { $0[$1, default: 0] += 1 }
        }
        #expect(outcomes.values.reduce(0, +) == 1000)
        #expect((outcomes[true] ?? 0) >= 666)
        #expect(limiter.waiting == 0)
    }
}
