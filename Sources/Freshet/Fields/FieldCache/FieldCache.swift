public import Logging

/// Reads fields: from this process if it can, from the store if it must, from the source if nobody has.
///
/// ```swift
/// let fields = try FieldCache(cache: cache, catalog: FieldCatalog([agents]), logger: logger)
/// let all = try await fields.value(of: agents)
/// let now = try await fields.value(of: agents, forceRefresh: true)
/// ```
/// It works as soon as it is made. ``run()`` adds the backplane, which tells it at once what other processes have
/// changed, and the schedule, which refreshes fields before they are stale.
///
/// One is enough for a process. Each is a node of its own: what one refreshes or invalidates another hears of as if it were
/// in another process, through a ``Backplane`` or after ``Configuration/l1Recheck``.
public final class FieldCache: Sendable {
    /// How much a cache holds and does at once, and how long it believes what it holds.
    public struct Configuration: Sendable, Hashable {
        /// How many bytes of memory the values held in this process may take, roughly: each counts twice the bytes of
        /// its JSON, being held encoded and decoded, its key's and 256. What alone weighs more is not held.
        public var l1MaxBytes = 64 << 20
        /// How long a value held in this process is believed without asking the store, while no backplane is live; ten
        /// times as long while one is. Zero asks at every read.
        public var l1Recheck: Duration = .seconds(2)
        /// How many loads run at once, over all fields, at least one; further ones wait, and are `overloaded` where no place
        /// comes free within the field's `hardDeadline`. A load that another load of this cache waits for needs no
        /// place, nor does one that might otherwise close a circle of field caches.
        public var maxConcurrentLoads = 64
        /// The name by which other processes call this one when it keeps them waiting, such as host and process id; may
        /// be empty.
        public var nodeName = ""

        public init() {}
    }

    public let catalog: FieldCatalog
    let cache: CacheService
    let base: any Spawner
    let tools: FlightTools
    let backplane: (any Backplane)?
    let desk: FlightDesk
    let schedule: Schedule
    let gapCheck: GapCheck
    let pulse: StorePulse

    /// - Parameters:
    ///   - cache: has the store; must have been initialised.
    ///   - catalog: the fields that are asked for by name. Others can be read all the same.
    ///   - spawner: where time and tasks come from; `cache`'s unless given.
    public init(
        cache: CacheService,
        catalog: FieldCatalog,
        configuration: Configuration = Configuration(),
        backplane: (any Backplane)? = nil,
        spawner: (any Spawner)? = nil,
        logger: Logger
    ) {
        let spawner = spawner ?? cache.spawner
        let counting = CountingSpawner(spawner)
        let tools = FlightTools(
            store: cache.store,
            l1: L1(maxBytes: configuration.l1MaxBytes, spawner: spawner),
            backlog: StoreBacklog(store: cache.store, spawner: counting, logger: logger),
            limiter: LoadLimiter(limit: configuration.maxConcurrentLoads),
            spawner: counting,
            logger: logger,
            trust: Trust(recheck: configuration.l1Recheck),
            journal: FieldJournal(catalog),
            nodeName: configuration.nodeName
        )
        self.catalog = catalog
        self.cache = cache
        base = spawner
        self.tools = tools
        self.backplane = backplane
        desk = FlightDesk(
            spawner: counting,
            limiter: tools.limiter,
            l1: tools.l1,
            trust: tools.trust,
            runner: { await FlightRunner(tools: tools, desk: $0, field: $1, id: $2).run($3) },
            checker: { await FlightRunner(tools: tools, desk: $0, field: $1, id: $2).checkInterim($3) }
        )
        schedule = Schedule(of: catalog, tools: tools, desk: desk)
        gapCheck = GapCheck(tools: tools, desk: desk)
        pulse = StorePulse(store: cache.store, spawner: counting, logger: logger)
        // What this process writes beside its fields nobody else tells it of.
        cache.store.watchWrites { [weak desk, weak tools] keys in
            for key in keys { desk?.tellWritten(key) { tools?.suspectFailure(of: key) } }
        }
    }

    /// Sets the gauges of what this process holds, `freshet_l1_entries` and `freshet_l1_bytes`, having freed what has
    /// expired. ``run()`` does so once a minute; call it before a scrape. The ages of values are measured by `MetricsRoute`
    /// alone.
    public func measure() { tools.l1.measure() }

    /// Whether the store answers; while it does not, reads go on from this process and the source.
    public var isStoreAvailable: Bool { tools.store.isAvailable }

    /// Whether the store is away, or has yet to be told of an invalidation.
    package var isDegraded: Bool { !tools.store.isAvailable || tools.backlog.isBehind }

    /// Throws what would keep any operation on the field from ever succeeding.
    func admit(_ field: AnyField) throws {
        try cache.requireInitialized()
        try CompanionKey.validate(field.key)
        // Fields outside the catalogue have been checked by nobody.
        if let problem = field.problem { throw CacheError(.configuration, problem) }
    }
}
