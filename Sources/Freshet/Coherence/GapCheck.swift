import NIOConcurrencyHelpers

/// Keeps what L1 holds over a gap in the messages: compares it with the store's generations, many keys at a time, so
/// that it is neither dropped nor believed blindly. A key that is read before its turn is checked by that read.
final class GapCheck: Sendable {
    /// Keys in one question: the store answers it in well under a millisecond, and nobody waits long behind it.
    private static let batch = 512
    private static let longestPause = Duration.seconds(5)

    private let tools: FlightTools
    private let desk: FlightDesk
    private let state = NIOLockedValueBox(State())

    private struct State {
        var task: SpawnedTask?
        var isClosed = false
    }

    init(tools: FlightTools, desk: FlightDesk) {
        self.tools = tools
        self.desk = desk
    }

    /// From now on every change is told, and what was held before is suspect until it has been compared.
    func start() {
        let live = tools.spawner.now()
        tools.trust.becameLive(at: live)
        replaceTask(with: tools.spawner.spawn { await self.run(since: live) })
    }

    /// Changes may be missed from now on.
    func stop() {
        tools.trust.wasLost()
        replaceTask(with: nil)
    }

    /// Compares nothing any more.
    func close() {
        state.withLockedValue { $0.isClosed = true }
        stop()
    }

    private func replaceTask(with next: SpawnedTask?) {
        let ended: [SpawnedTask?] = state.withLockedValue { state in
            defer { state.task = next }
            return [state.task, state.isClosed ? next : nil]
        }
        // Under no lock: handlers of a store may run in it.
        for task in ended { task?.cancel() }
    }

    private func run(since live: MonotonicInstant) async {
        var rest = tools.l1.keys { tools.trust.wouldCover($0, at: live) }[...]
        var pause = Duration.milliseconds(50)
        while !rest.isEmpty, !Task.isCancelled {
            let keys = rest.prefix(Self.batch)
            let askedAt = max(tools.spawner.now(), live + .nanoseconds(1))
            do {
                let known = try await tools.store.checkEntries(Array(keys))
                desk.change { l1 in
                    for (key, known) in zip(keys, known) { l1.compare(key, with: known, askedAt: askedAt) }
                }
                rest.removeFirst(keys.count)
            } catch {
                if !(error is CancellationError) { tools.noteStoreError(error, .check, of: nil) }
                guard (try? await tools.spawner.sleep(for: pause)) != nil else { return }
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }
}
