import FreshetTesting
import Logging
import NIOConcurrencyHelpers

@testable import Freshet

/// Nodes, their store and their source, with everything that happens to them decided by a seed.
struct World {
    struct Node: Sendable {
        let number: Int
        let fields: FieldCache
        let field: Field<Int>
        let neighbour: Field<Int>
        let link: Link
        let channel: Channel
        let run: SpawnedTask
        let places: Int

        /// What it holds of the field.
        var held: History.Held? {
            guard let entry = fields.tools.l1.peek(World.key), let payload = entry.payload,
                let value = try? field.value(in: payload)
            else { return nil }
            let now = fields.tools.spawner.now()
            let revalidateFor = field.erased.policy.staleWhileRevalidate
            return History.Held(
                value: value,
                servedFor: min(entry.staleUntil, entry.freshUntil + revalidateFor) - now,
                keptFor: entry.staleUntil - now
            )
        }

        /// Whether so many loads may run as before the first.
        var hasAllPlaces: Bool {
            let limiter = fields.tools.limiter
            let free = (0..<places).compactMap { _ in limiter.take(for: nil) }
            return withExtendedLifetime(free) { free.count == places && limiter.take(for: nil) == nil }
        }
    }

    static let key = "agents_list"
    static let otherKey = "neighbour"

    let spawner: TestSpawner
    let chance: Chance
    let history: History
    let policy: FieldPolicy
    let server: Server
    let source: SimulatedSource
    /// Whether nodes lose the store now and then.
    let hasTrouble: Bool
    /// Whether other programs write.
    let hasOthers: Bool
    /// Whether hardly anybody but readers comes, so that values grow old.
    let isQuiet: Bool
    let hasBackplane: Bool
    let isOrdered: Bool
    let recheck: Duration
    /// Whether there is one place for the loads of all fields, and another field that takes it.
    let isCrowded: Bool
    /// Whether loads read other fields, which may read the first in turn.
    let isNested: Bool
    /// Whether anybody removes values, and not only lets them grow old.
    let mayRemove: Bool
    /// Whether values are not to be kept at times, so that callers load for themselves.
    let mayLoadAlone: Bool
    /// Whether the store starts again now and then, and lacks what came last.
    let isForgetful: Bool
    private let isHealed = NIOLockedValueBox(false)
    private let running = NIOLockedValueBox<[Node]>([])

    init(seed: UInt64) {
        spawner = TestSpawner(seed: seed, isShuffled: true)
        chance = Chance(spawner)
        history = History(spawner)
        policy = Self.policy(chance)
        server = Server(NodeClock(spawner, chance), history)
        source = SimulatedSource(
            on: spawner,
            history: history,
            hardDeadline: policy.hardDeadline,
            saysNotModified: chance.percent(30)
        )
        let isCalm = chance.percent(30)
        hasOthers = !isCalm && chance.percent(40)
        hasTrouble = !isCalm && (!hasOthers || chance.percent(50))
        isQuiet = chance.percent(30)
        hasBackplane = chance.percent(80)
        isOrdered = chance.percent(50)
        recheck = .milliseconds(chance.pick([2000, 200]))
        isCrowded = chance.percent(50)
        isNested = chance.percent(30)
        mayLoadAlone = !isCalm && chance.percent(30)
        mayRemove = chance.percent(60)
        isForgetful = hasTrouble && hasBackplane && !hasOthers && chance.percent(40)
    }

    private static func policy(_ chance: Chance) -> FieldPolicy {
        var policy = FieldPolicy(ttl: .seconds(chance.pick([2, 5, 10, 30])))
        policy.staleWhileRevalidate = .seconds(chance.pick([0, 0, 3, 10]))
        policy.staleIfError = .seconds(chance.pick([0, 0, 10, 60]))
        policy.staleIfErrorThrottle = .seconds(chance.pick([1, 5]))
        policy.negativeTTL = .seconds(chance.pick([0, 3]))
        policy.jitter = chance.pick([0, 0.1])
        policy.softDeadline = chance.percent(30) ? .milliseconds(200) : nil
        policy.backgroundCompletion = chance.percent(30)
        policy.hardDeadline = .seconds(chance.pick([1, 5]))
        policy.minRefreshInterval = .seconds(chance.pick([0, 1, 3]))
        policy.refreshEvery = chance.percent(20) ? .every(.seconds(4)) : nil
        policy.settle = chance.percent(10) ? .seconds(1) : nil
        return policy
    }

    /// Lets clients ask and trouble come for a while, then heals everything, and asks once more.
    ///
    /// - Throws: ``Contract/Breach``.
    func run(for time: Duration) async throws {
        let isOver = NIOLockedValueBox(false)
        spawner.spawn {
            for _ in 0..<chance.pick([1, 2, 2, 3]) { await start() }
            let end = spawner.now() + time
            var tasks = (0..<5).map { _ in spawner.spawn { await askAgainAndAgain(until: end) } }
            tasks.append(spawner.spawn { await changeMoods(until: end) })
            if isForgetful {
                tasks.append(spawner.spawn { await restartStore(until: end) })
            } else if hasTrouble {
                tasks.append(spawner.spawn { await makeTrouble(until: end) })
            }
            if isCrowded {
                tasks.append(spawner.spawn { await crowd(until: end) })
                tasks.append(spawner.spawn { await overtakeForcedLoads(until: end) })
            }
            if !isCalm { tasks.append(spawner.spawn { await interfere(until: end) }) }
            for task in tasks { await task.wait() }
            isHealed.withLockedValue { $0 = true }
            try? await spawner.sleep(for: .seconds(90))
            for node in nodes { await call(.read, on: node) }
            for node in nodes { node.run.cancel() }
            for node in nodes { await node.run.wait() }
            isOver.withLockedValue { $0 = true }
        }
        let step = Duration.milliseconds(50)
        for _ in 0..<Int((time + .seconds(600)) / step) where !isOver.withLockedValue({ $0 }) {
            await spawner.advance(by: step)
        }
        let contract = Contract(of: history, under: policy, recheck: recheck)
        try contract.check(isCalm: isCalm, isCrowded: isCrowded, isTold: hasBackplane)
        if !mayLoadAlone { try contract.checkFetchers() }
        if isCrowded, !isNested { try contract.checkPlaces(1) }
        if hasBackplane { try contract.checkForeignWrites() }
        try contract.checkEnd(isOver: isOver.withLockedValue { $0 }, nodes: nodes.map(\.number))
        for node in nodes where !node.hasAllPlaces {
            throw Contract.Breach(description: "C8: a place of node \(node.number) is lost, or one too many")
        }
    }

    /// Whether every node reaches the store throughout, and no other program does.
    var isCalm: Bool { !hasTrouble && !hasOthers }

    private func readInside(on number: Int, _ read: (Node) async throws -> Void) async {
        guard isNested, !isHealed.withLockedValue({ $0 }), chance.percent(30),
            let node = nodes.first(where: { $0.number == number })
        else { return }
        try? await read(node)
    }

    // MARK: Nodes

    var nodes: [Node] { running.withLockedValue { $0 } }

    /// Starts a node, in the place of one that ends if there is one.
    func start(insteadOf old: Node? = nil) async {
        let number = history.nextNode()
        let clock = NodeClock(spawner, chance)
        let channel = Channel(to: number, on: spawner)
        let link = Link(to: server, beside: channel, on: spawner, isOrdered: isOrdered)
        let logger = Logger(label: "node") { _ in SwiftLogNoOpLogHandler() }
        let field = Field<Int>("agents", key: Self.key, policy: policy) { context in
            if context.isForced { spawner.spawn { await readOften(on: number) } }
            return try await source.load(context, on: number) {
                await readInside(on: number) { node in
                    let isForced = chance.percent(30)
                    _ = try await node.fields.read(node.neighbour, forceRefresh: isForced)
                }
            }
        }
        let neighbour = Field<Int>("neighbour", key: Self.otherKey, ttl: .milliseconds(1)) {
            let load = history.beginOtherLoad(on: number)
            defer { history.endOtherLoad(load) }
            try await spawner.sleep(for: chance.time(upTo: .milliseconds(800)))
            await readInside(on: number) { node in
                _ = try await node.fields.read(node.field, maxAge: chance.percent(20) ? .zero : nil)
            }
            return 0
        }
        var configuration = FieldCache.Configuration()
        configuration.l1Recheck = recheck
        if isCrowded { configuration.maxConcurrentLoads = 1 }
        let cache = CacheService(store: link, spawner: clock, logger: logger)
        do {
            try await cache.initialize()
            let fields = FieldCache(
                cache: cache,
                catalog: try FieldCatalog([field, neighbour]),
                configuration: configuration,
                backplane: hasBackplane ? channel : nil,
                spawner: clock,
                logger: logger
            )
            if hasBackplane { server.subscribe(channel) }
            let run = spawner.spawn { try? await fields.run() }
            let node = Node(
                number: number,
                fields: fields,
                field: field,
                neighbour: neighbour,
                link: link,
                channel: channel,
                run: run,
                places: configuration.maxConcurrentLoads
            )
            running.withLockedValue { nodes in
                nodes.removeAll { $0.number == old?.number }
                nodes.append(node)
            }
            if let old {
                history.note("node \(number) takes the place of node \(old.number)")
                old.run.cancel()
            }
        } catch {
            history.note("node \(number) does not start: \(error)")
        }
    }
}
