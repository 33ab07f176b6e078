import Logging
import NIOConcurrencyHelpers

/// Looks after the store while nobody calls it, so that its loss and its return are noticed before a reader finds out,
/// and logged.
final class StorePulse: Sendable {
    private struct State {
        var task: SpawnedTask?
        /// Ends the pause between two looks.
        var nap: SpawnedTask?
        var isWoken = false
        var isUrgent = false
        var isStopped = false
    }

    private let store: GuardedStore
    private let spawner: any Spawner
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(store: GuardedStore, spawner: any Spawner, logger: Logger) {
        self.store = store
        self.spawner = spawner
        self.logger = logger
    }

    /// Begins, once.
    func start() {
        guard !store.isLocal else { return }
        let isFirst = state.withLockedValue { state in
            guard state.task == nil, !state.isStopped else { return false }
            store.leaveProbes(toProber: true)
            state.task = spawner.spawn { await self.run() }
            return true
        }
        guard isFirst else { return }
        store.watch { [weak self] event in
            // Others have opened the breaker: the next probe is due before the next look.
            if event == .lost { self?.wake(isUrgent: false) }
        }
    }

    /// Looks now, or once more where a look is under way.
    ///
    /// - Parameter isUrgent: something has happened to the connection: the store is asked in any case.
    func wake(isUrgent: Bool) {
        state.withLockedValue { state in
            state.isWoken = true
            if isUrgent { state.isUrgent = true }
            state.nap?.cancel()
        }
    }

    func stop() {
        state.withLockedValue { state in
            state.isStopped = true
            guard let task = state.task else { return }
            task.cancel()
            state.nap?.cancel()
            state.task = nil
            store.leaveProbes(toProber: false)
        }
    }

    private func run() async {
        var outage = Outage()
        while !Task.isCancelled {
            let isUrgent = state.withLockedValue { state in
                defer { (state.isWoken, state.isUrgent) = (false, false) }
                return state.isUrgent
            }
            let pause = await store.look(within: store.idlePeriod, isUrgent: isUrgent)
            switch outage.news(isAway: !store.isAvailable, at: spawner.now()) {
            case true?: logger.warning("the store is away")
            case false?: logger.notice("the store is back")
            case nil: break
            }
            await rest(for: pause)
        }
    }

    private func rest(for pause: Duration) async {
        let nap: SpawnedTask? = state.withLockedValue { state in
            guard !state.isWoken, !state.isStopped else { return nil }
            let nap = spawner.spawn { try? await self.spawner.sleep(for: pause) }
            state.nap = nap
            return nap
        }
        await nap?.wait()
    }
}

extension StorePulse {
    /// What the log says of the store: of one that comes and goes, every ten seconds at most that it is away.
    private struct Outage {
        private var isTold = false
        private var toldAt = MonotonicInstant.distantPast

        /// Whether the store is away, if that is to be told.
        mutating func news(isAway: Bool, at now: MonotonicInstant) -> Bool? {
            guard isAway != isTold, !isAway || now - toldAt >= FailureLog.interval else { return nil }
            isTold = isAway
            if isAway { toldAt = now }
            return isAway
        }
    }
}
