import BoundedCache
import NIOConcurrencyHelpers

/// The checks that wait for their time, one a key: a later one takes the place of an earlier one.
final class SettleTimers: Sendable {
    private struct Timer {
        let number: UInt64
        let task: SpawnedTask
    }

    private struct State {
        var timers: [ExactKey: Timer] = [:]
        var lastNumber: UInt64 = 0
        var isClosed = false
    }

    private let state = NIOLockedValueBox(State())

    func start(
        _ key: String,
        after time: Duration,
        on spawner: any Spawner,
        _ check: @escaping @Sendable () async -> Void
    ) {
        let replaced: SpawnedTask? = state.withLockedValue { state in
            guard !state.isClosed else { return nil }
            state.lastNumber += 1
            let number = state.lastNumber
            let task = spawner.spawn {
                guard (try? await spawner.sleep(for: time)) != nil, self.take(key, number) else { return }
                await check()
            }
            return state.timers.updateValue(Timer(number: number, task: task), forKey: ExactKey(key))?.task
        }
        replaced?.cancel()
    }

    /// Takes out a timer whose time has come; false if it is none any more.
    private func take(_ key: String, _ number: UInt64) -> Bool {
        state.withLockedValue { state in
            guard state.timers[key]?.number == number else { return false }
            state.timers[key] = nil
            return true
        }
    }

    func close() {
        let timers = state.withLockedValue { state in
            state.isClosed = true
            defer { state.timers = [:] }
            return state.timers
        }
        for timer in timers.values { timer.task.cancel() }
    }
}
