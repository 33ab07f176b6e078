import Freshet
import FreshetTesting
import Logging
import NIOCore
import TestSupport
import Testing

@testable import FreshetServer

/// A field whose source fails on command, a store that can be taken away, and a webhook that keeps what it is told.
private struct Fixture {
    let spawner = TestSpawner()
    let webhook: WebhookStandIn
    let logs = RecordedLogs()
    let quiet: Duration
    let source: ScriptedSource
    let store: FaultyStore
    let cache: CacheService
    let field: Field<JSONValue>
    let fields: FieldCache
    let service: NotificationService

    init(
        answers: [WebhookStandIn.Answer] = [],
        quiet: Duration = .seconds(900),
        source: ScriptedSource = ScriptedSource { _ in throw CacheError(.sourceFailed, "no answer") },
        _ change: (inout FieldPolicy) -> Void = { _ in }
    ) async throws {
        var policy = FieldPolicy(ttl: .seconds(60))
        change(&policy)
        self.quiet = quiet
        self.source = source
        webhook = try await WebhookStandIn.start(answers)
        store = FaultyStore(MemoryStore(spawner: spawner), spawner: spawner)
        cache = CacheService(store: store, spawner: spawner, logger: logs.logger)
        try await cache.initialize()
        field = Field("agents", policy: policy, load: source.load)
        fields = FieldCache(
            cache: cache,
            catalog: try FieldCatalog([field]),
            spawner: spawner,
            logger: logs.logger
        )
        var settings = NotificationSettings(webhook: webhook.url)
        settings.quiet = quiet
        service = try NotificationService(settings, cache: cache, spawner: spawner, logger: logs.logger)
        try await service.initialize()
        service.watch(fields)
    }

    /// Another service on the same store that watches the same fields.
    func another(_ webhook: WebhookStandIn) async throws -> NotificationService {
        var settings = NotificationSettings(webhook: webhook.url)
        settings.quiet = quiet
        let another = try NotificationService(settings, cache: cache, spawner: spawner, logger: logs.logger)
        another.watch(fields)
        return another
    }

    /// Takes the store away until that is noticed.
    func loseStore() async throws {
        store.inject(.fail(CacheError(.storeUnavailable, "gone")))
        for _ in 0..<5 { try await fields.expire(field) }
    }

    /// Reads until so many loads have failed.
    func fail(_ times: Int) async {
        for number in 0..<times {
            // Not after the last one: that would wake what the failure has set off.
            if number > 0 { await spawner.advance(by: .seconds(61)) }
            _ = try? await fields.value(of: field)
        }
    }

    /// Waits until so many notices have been told.
    func deliveries(_ count: Int) async throws {
        let logs = logs
        try await waitUntil("\(count) deliveries") {
            logs.entries.count { $0.message == "told of trouble" } >= count
        }
    }

    /// Waits until the service pauses after its first attempt, and nobody else is at work.
    func firstPause() async throws {
        _ = try await bodies(1)
        await spawner.settle()
        try await spawner.waitForSleepers(1)
    }

    func bodies(_ count: Int) async throws -> [JSONValue] {
        let webhook = webhook
        try await waitUntil("\(count) notices") { webhook.bodies.count >= count }
        return try webhook.bodies.map { try StoredJSON.decode(JSONValue.self, from: ByteBuffer(string: $0)) }
    }
}

@Suite("Notifications")
struct NotificationServiceTests {
    @Test("loads that keep failing are told of once, as text and as fields")
    func failing() async throws {
        let fixture = try await Fixture(answers: [.status(204)])
        await fixture.fail(6)
        let body = try await fixture.bodies(1)[0]
        #expect(body["text"]?.string == "agents: 3 loads in a row failed – no answer")
        #expect(body["event"]?.string == "loadsFailing")
        #expect(body["field"]?.string == "agents")
        #expect(body["failures"] == .integer(3))
        #expect(body["error"]?.string == "sourceFailed")
        try await fixture.service.shutdown()
        #expect(fixture.webhook.bodies.count == 1)
        #expect(fixture.logs.entries.contains { $0.message == "told of trouble" })
    }

    @Test("what a source says calls nobody: the text is escaped, the message is as it was")
    func escapes() async throws {
        let said = "<!channel> <https://example.com|all> & \"more\""
        let fixture = try await Fixture(source: ScriptedSource { _ in throw CacheError(.sourceFailed, said) })
        await fixture.fail(3)
        let body = try await fixture.bodies(1)[0]
        let escaped = "&lt;!channel&gt; &lt;https://example.com|all&gt; &amp; \"more\""
        #expect(body["text"]?.string == "agents: 3 loads in a row failed – \(escaped)")
        #expect(body["message"]?.string == said)
    }

    @Test("a webhook that fails is tried again after longer and longer, and holds up no read")
    func retries() async throws {
        let fixture = try await Fixture(
            answers: [.status(408), .status(429, retryAfter: 7), .status(503, retryAfter: 100_000)]
        )
        await fixture.fail(3)
        _ = try await fixture.bodies(1)
        for (count, pause) in [(2, 1), (3, 7), (4, 60)] {
            try await fixture.spawner.waitForSleepers(1)
            if pause > 1 { await fixture.spawner.advance(by: .seconds(pause - 1)) }
            // Nothing is sent before its time.
            #expect(fixture.webhook.bodies.count == count - 1)
            await fixture.spawner.advance(by: .seconds(1))
            _ = try await fixture.bodies(count)
            // No other process takes its place, however long the pauses are.
            #expect(try await fixture.cache.strict.ttl("freshet:notice:loadsFailing:agents") > 85)
        }
        try await fixture.deliveries(1)
        #expect(Set(fixture.webhook.bodies).count == 1)
    }

    @Test("the quiet period counts from the delivery, here and in the store")
    func quietFromDelivery() async throws {
        let fixture = try await Fixture(answers: [.status(429, retryAfter: 60)], quiet: .seconds(60))
        await fixture.fail(3)
        try await fixture.firstPause()
        await fixture.spawner.advance(by: .seconds(60))
        try await fixture.deliveries(1)
        #expect(try await fixture.cache.strict.ttl("freshet:notice:loadsFailing:agents") > 55)
        await fixture.spawner.advance(by: .seconds(59))
        await fixture.fail(1)
        await fixture.spawner.advance(by: .seconds(61))
        await fixture.fail(1)
        #expect(try await fixture.bodies(3)[2]["failures"] == .integer(5))
    }

    @Test("while a webhook has a process wait for longer than the quiet period, no other one tells, and none twice")
    func longPause() async throws {
        let fixture = try await Fixture(answers: [.status(429, retryAfter: 60)], quiet: .seconds(30))
        let webhook = try await WebhookStandIn.start()
        let another = try await fixture.another(webhook)
        await fixture.fail(3)
        try await fixture.firstPause()
        await fixture.spawner.advance(by: .seconds(31))
        await fixture.fail(1)
        await fixture.spawner.advance(by: .seconds(29))
        try await fixture.deliveries(1)
        try await another.shutdown()
        try await fixture.service.shutdown()
        #expect(webhook.bodies.isEmpty)
        #expect(fixture.webhook.bodies.count == 2)
    }

    @Test("its own failure is only logged, without the URL", arguments: [403, 500])
    func ownFailure(status: Int) async throws {
        let fixture = try await Fixture(answers: Array(repeating: .status(status), count: 6))
        await fixture.fail(3)
        let (spawner, logs) = (fixture.spawner, fixture.logs)
        try await waitUntil("the end of its attempts") {
            if spawner.sleepers > 0 { await spawner.advance(by: .seconds(60)) }
            return logs.entries.contains { $0.message == "a notification could not be delivered" }
        }
        #expect(fixture.webhook.bodies.count == (status == 403 ? 1 : 6))
        #expect(logs.entries.contains { $0.metadata["webhook.problem"] == "status \(status)" })
        await spawner.advance(by: .seconds(100))
        _ = try? await fixture.fields.value(of: fixture.field)
        try await fixture.service.shutdown()
        #expect(fixture.webhook.bodies.count == (status == 403 ? 1 : 7), "who refuses is asked once a quiet period")
        #expect(!logs.entries.contains { $0.text.contains("s3cret") })
    }

    @Test("a store that is lost and back is told of, though it cannot be asked who tells")
    func store() async throws {
        let fixture = try await Fixture(source: ScriptedSource { _ in "v" })
        _ = try await fixture.fields.value(of: fixture.field)
        try await fixture.loseStore()
        #expect(try await fixture.bodies(1)[0]["event"]?.string == "storeLost")
        fixture.store.recover()
        await fixture.spawner.advance(by: .seconds(30))
        let second = try await fixture.bodies(2)[1]
        #expect(second["event"]?.string == "storeBack")
        #expect(second["text"]?.string == "the store is back")
        #expect(second["field"] == nil)
        let store = fixture.store
        try await waitUntil("others know that it is told") {
            (try? await store.get("freshet:notice:storeBack")) == ByteBuffer(string: "true")
        }
    }

    @Test("a store that is lost once more is told of when the quiet period is over")
    func lostAgain() async throws {
        let fixture = try await Fixture(source: ScriptedSource { _ in "v" })
        try await fixture.loseStore()
        try await fixture.deliveries(1)
        fixture.store.recover()
        await fixture.spawner.advance(by: .seconds(30))
        _ = try await fixture.bodies(2)
        try await fixture.loseStore()
        await fixture.spawner.advance(by: .seconds(800))
        #expect(fixture.webhook.bodies.count == 2)
        await fixture.spawner.advance(by: .seconds(101))
        #expect(try await fixture.bodies(3)[2]["event"]?.string == "storeLost")
        // What waits for the store is sent at the end.
        fixture.store.recover()
        try await fixture.service.shutdown()
        await fixture.fields.shutdown()
    }

    @Test("what was last told of the store is put right, though what says so in the store ends a little later")
    func corrected() async throws {
        let fixture = try await Fixture(source: ScriptedSource { _ in "v" })
        let store = fixture.store
        try await fixture.loseStore()
        try await fixture.deliveries(1)
        await fixture.spawner.advance(by: .seconds(300))
        store.recover()
        await fixture.spawner.advance(by: .seconds(30))
        try await fixture.deliveries(2)
        let key = "freshet:notice:storeBack"
        guard case .remaining(let rest) = try await store.ttl(key) else { return #expect(Bool(false), "no time") }
        let options = CacheOptions(expiry: .after(rest + .milliseconds(500)))
        _ = try await store.set(key, ByteBuffer(string: "true"), options: options)
        try await fixture.loseStore()
        await fixture.spawner.advance(by: .seconds(600))
        #expect(try await fixture.bodies(3)[2]["event"]?.string == "storeLost")
        store.recover()
        await fixture.spawner.advance(by: .seconds(30))
        #expect(fixture.webhook.bodies.count == 3)
        await fixture.spawner.advance(by: .seconds(300))
        #expect(try await fixture.bodies(4)[3]["event"]?.string == "storeBack")
        try await fixture.service.shutdown()
        await fixture.fields.shutdown()
    }

    @Test("what is dropped, since too many wait, is not called for again at once, and is told of when there is room")
    func dropped() async throws {
        let fixture = try await Fixture(answers: [.status(429, retryAfter: 60)])
        let own = (0...65).map { Self.refused("field\($0)", FieldPolicy(ttl: .seconds(60))) }
        let fields = FieldCache(
            cache: fixture.cache,
            catalog: try FieldCatalog(own),
            spawner: fixture.spawner,
            logger: fixture.logs.logger
        )
        fixture.service.watch(fields)
        let (spawner, logs) = (fixture.spawner, fixture.logs)
        _ = try? await fields.value(of: own[0])
        try await fixture.firstPause()
        for field in own.dropFirst() { _ = try? await fields.value(of: field) }
        for (pause, dropped) in [(10, 1), (10, 1), (11, 2)] {
            await spawner.advance(by: .seconds(pause))
            _ = try? await fields.value(of: own[65])
            #expect(logs.entries.count { $0.message == "a notification is dropped" } == dropped)
        }
        await spawner.advance(by: .seconds(29))
        try await fixture.deliveries(65)
        await spawner.advance(by: .seconds(2))
        _ = try? await fields.value(of: own[65])
        #expect(try await fixture.bodies(67)[66]["field"]?.string == "field65")
    }

    @Test("that a store is lost is told in the end, though the webhook is down at first")
    func lostWithWebhook() async throws {
        let fixture = try await Fixture(
            answers: Array(repeating: .status(500), count: 6),
            source: ScriptedSource { _ in "v" }
        )
        try await fixture.loseStore()
        let (spawner, webhook, logs) = (fixture.spawner, fixture.webhook, fixture.logs)
        try await waitUntil("the end of its attempts") {
            if spawner.sleepers > 0 { await spawner.advance(by: .seconds(10)) }
            return logs.entries.contains { $0.message == "a notification could not be delivered" }
        }
        try await waitUntil("the delivery") {
            await spawner.advance(by: .seconds(10))
            return logs.entries.contains { $0.message == "told of trouble" }
        }
        let bodies = try await fixture.bodies(7)
        #expect(bodies.count == 7 && bodies.allSatisfy { $0["event"]?.string == "storeLost" })
        await spawner.advance(by: .seconds(2000))
        #expect(webhook.bodies.count == 7, "and once")
        // What waits for the store is sent at the end.
        fixture.store.recover()
        try await fixture.service.shutdown()
        await fixture.fields.shutdown()
    }

    @Test(
        "what another process has claimed, and not told, is told of here when its claim is over; what it has told is not",
        arguments: [false, true]
    )
    func claimed(isTold: Bool) async throws {
        let fixture = try await Fixture(source: ScriptedSource { _ in "v" })
        try await fixture.loseStore()
        _ = try await fixture.bodies(1)
        let (store, logs) = (fixture.store, fixture.logs)
        let claim = CacheOptions(expiry: .after(.seconds(90)))
        store.recover()
        _ = try await store.set("freshet:notice:storeBack", ByteBuffer(string: "\(isTold)"), options: claim)
        await fixture.spawner.advance(by: .seconds(30))
        try await waitUntil("the claim") { store.calls(of: .ttl) == 1 }
        #expect(fixture.webhook.bodies.count == 1)
        await fixture.spawner.advance(by: .seconds(91))
        if !isTold {
            #expect(try await fixture.bodies(2)[1]["event"]?.string == "storeBack")
            try await waitUntil("the deliveries") { logs.entries.count { $0.message == "told of trouble" } == 2 }
        }
        try await fixture.service.shutdown()
        #expect(fixture.webhook.bodies.count == (isTold ? 1 : 2))
        await fixture.fields.shutdown()
    }

    @Test(
        "a process that dies while it tells is silent no longer than its claim, however short the quiet period",
        arguments: [Duration.seconds(30), .seconds(900)]
    )
    func deadTeller(quiet: Duration) async throws {
        let fixture = try await Fixture(answers: [.hang], quiet: quiet)
        let webhook = try await WebhookStandIn.start()
        let another = try await fixture.another(webhook)
        await fixture.fail(3)
        _ = try await fixture.bodies(1)
        let service = fixture.service
        let death = Task { try await service.shutdown() }
        try await fixture.spawner.waitForSleepers(1)
        await fixture.spawner.advance(by: .seconds(3))
        try await death.value
        await fixture.spawner.advance(by: .seconds(90))
        await fixture.fail(1)
        try await waitUntil("the other one's notice") { webhook.bodies.count == 1 }
        try await another.shutdown()
    }

    @Test("of two services one tells, once a quiet period")
    func quietOverTheFleet() async throws {
        let fixture = try await Fixture()
        let webhook = try await WebhookStandIn.start()
        let another = try await fixture.another(webhook)
        let both: @Sendable () -> Int = { [first = fixture.webhook] in first.bodies.count + webhook.bodies.count }
        await fixture.fail(3)
        try await waitUntil("the first notice") { both() == 1 }
        let logs = fixture.logs
        try await waitUntil("its delivery") { logs.entries.count { $0.message == "told of trouble" } == 1 }
        for _ in 0..<14 {
            await fixture.spawner.advance(by: .seconds(61))
            await fixture.fail(1)
        }
        #expect(both() == 1)
        for _ in 0..<2 {
            await fixture.spawner.advance(by: .seconds(61))
            await fixture.fail(1)
        }
        try await waitUntil("the second notice") { both() == 2 }
        try await fixture.service.shutdown()
        try await another.shutdown()
        #expect(both() == 2)
    }

    @Test("stale values served beyond the limit, and a source that changed too late")
    func staleAndLate() async throws {
        let fixture = try await Fixture(source: ScriptedSource { .integer(Int64($0)) }) { policy in
            policy.staleIfError = .seconds(86_400)
            policy.settle = .seconds(30)
        }
        _ = try await fixture.fields.refresh(fixture.field)
        await fixture.spawner.advance(by: .seconds(30))
        #expect(try await fixture.bodies(1)[0]["event"]?.string == "changedLate")
        fixture.source.answer { _ in throw CacheError(.sourceFailed, "no answer") }
        await fixture.spawner.advance(by: .seconds(2 * 3600))
        _ = try await fixture.fields.value(of: fixture.field)
        let stale = try await fixture.bodies(2)[1]
        #expect(stale["event"]?.string == "staleServed")
        #expect(stale["text"]?.string == "agents: readers get a value that is 1h59m past its freshness")
    }

    @Test("a shutdown gives up a webhook that hangs, after three seconds")
    func shutdown() async throws {
        let fixture = try await Fixture(answers: [.hang])
        await fixture.fail(3)
        _ = try await fixture.bodies(1)
        let service = fixture.service
        let shutdown = Task { try await service.shutdown() }
        try await fixture.spawner.waitForSleepers(1)
        await fixture.spawner.advance(by: .seconds(3))
        try await shutdown.value
        #expect(fixture.logs.entries.contains { $0.message == "notifications are left unsent" })
    }

    @Test("of two services on one redis-server one tells; while it is away each does")
    func fleet() async throws {
        let server = try await RedisServer.start()
        let webhook = try await WebhookStandIn.start()
        let logs = RecordedLogs()
        var nodes: [(open: OpenStore, fields: FieldCache, service: NotificationService)] = []
        var policy = FieldPolicy(ttl: .seconds(60))
        policy.minRefreshInterval = .zero
        let field = Self.refused("agents", policy)
        let own = [Self.refused("own0", policy), Self.refused("own1", policy)]
        for _ in 0..<2 {
            let open = try OpenStore(
                StoreLocation(url: server.url, origin: .file),
                timeout: .seconds(1),
                logger: logs.logger
            )
            let cache = CacheService(store: open.store, timeout: .seconds(1), logger: logs.logger)
            try await cache.initialize()
            let fields = FieldCache(cache: cache, catalog: try FieldCatalog([field] + own), logger: logs.logger)
            let settings = NotificationSettings(webhook: webhook.url)
            let service = try NotificationService(settings, cache: cache, logger: logs.logger)
            try await service.initialize()
            service.watch(fields)
            nodes.append((open, fields, service))
        }
        // A refresh is not kept from a failing source, so that each node sees the failure for itself.
        for node in nodes { _ = try? await node.fields.refresh(field, purge: true) }
        for node in nodes { #expect(node.fields.events(of: field.erased).contains { $0.kind == .refusedToken }) }
        // What only one of them knows comes after what both do.
        for (node, own) in zip(nodes, own) { _ = try? await node.fields.refresh(own, purge: true) }
        try await waitUntil("the notices") { webhook.bodies.count == 3 }
        await server.stop()
        for node in nodes {
            try await withThrowingTaskGroup { group in
                for _ in 0..<5 { group.addTask { _ = try await node.fields.expire(field) } }
                try await group.waitForAll()
            }
        }
        try await waitUntil("a notice of each") { webhook.bodies.count { $0.contains("storeLost") } == 2 }
        for node in nodes {
            try await node.service.shutdown()
            await node.fields.shutdown()
            try await node.open.shutdown()
        }
        #expect(webhook.bodies.count { $0.contains("tokenRefused") } == 3)
    }

    private static func refused(_ name: String, _ policy: FieldPolicy) -> Field<JSONValue> {
        Field(name, policy: policy) { _ in throw CacheError(.sourceFailed, "HTTP 401").because(of: .credentials) }
    }
}

extension FieldEvent.Kind {
    fileprivate static var refusedToken: Self { .load(.failed(.sourceFailed, .credentials)) }
}
