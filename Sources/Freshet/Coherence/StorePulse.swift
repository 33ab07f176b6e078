import NIOConcurrencyHelpers

/// Looks after the store while nobody else does, so that its loss and its return are noticed without a reader, and no
/// reader is the one who finds out.
final class StorePulse: Sendable {
    private let store: GuardedStore
    private let spawner: any Spawner
    private let task = NIOLockedValueBox<SpawnedTask?>(nil)

    init(store: GuardedStore, spawner: any Spawner) {
        self.store = store
        self.spawner = spawner
    }

    func start() {
        guard !store.isLocal else { return }
        store.leaveProbes(toProber: true)
        let first = spawner.spawn { await self.run(isUrgent: false) }
        task.withLockedValue { $0 = first }
    }

    /// Something has happened to the connection: looks at once.
    func look() {
        task.withLockedValue { task in
            guard let last = task else { return }
            last.cancel()
            task = spawner.spawn {
                // A probe that is given up leaves its place to the next, but not at once.
                await last.wait()
                await self.run(isUrgent: true)
            }
        }
    }

    func stop() {
        let last = task.withLockedValue { task in
            defer { task = nil }
            return task
        }
        guard let last else { return }
        last.cancel()
        store.leaveProbes(toProber: false)
    }

    private func run(isUrgent: Bool) async {
        var isUrgent = isUrgent
        while !Task.isCancelled {
            let pause = await store.look(within: store.idlePeriod, isUrgent: isUrgent)
            isUrgent = false
            try? await spawner.sleep(for: pause)
        }
    }
}
