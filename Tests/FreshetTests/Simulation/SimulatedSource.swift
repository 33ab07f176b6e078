import NIOConcurrencyHelpers

@testable import Freshet

/// A source whose every answer is another one, so that what a reader gets tells which load brought it.
final class SimulatedSource: Sendable {
    enum Mood: Sendable {
        case good, failing, slow, stuck, empty, uncacheable
        /// Heeds no cancellation, and may go on beyond the hard deadline.
        case deaf
    }

    private let spawner: any Spawner
    private let chance: Chance
    private let history: History
    private let hardDeadline: Duration
    private let saysNotModified: Bool
    private let mood = NIOLockedValueBox(Mood.good)

    init(on spawner: any Spawner, history: History, hardDeadline: Duration, saysNotModified: Bool) {
        self.spawner = spawner
        self.history = history
        self.hardDeadline = hardDeadline
        self.saysNotModified = saysNotModified
        chance = Chance(spawner)
    }

    func become(_ mood: Mood) {
        history.note("the source: \(mood)")
        self.mood.withLockedValue { $0 = mood }
    }

    /// - Parameter other: what the load does besides.
    func load(_ context: LoadContext, on node: Int, _ other: () async -> Void) async throws -> LoadResult<Int> {
        let load = history.beginLoad(on: node, isForced: context.isForced)
        await other()
        let mood = mood.withLockedValue { $0 }
        try await wait(mood, load)
        switch mood == .deaf ? chance.pick([Mood.good, .good, .failing, .empty]) : mood {
        case .failing:
            end(load, .failed)
            throw CacheError(.sourceFailed, "load \(load)")
        case .empty:
            end(load, .absent)
            return .absent
        case .good, .slow, .stuck, .uncacheable, .deaf:
            if saysNotModified, let held = context.etag.flatMap({ Int($0) }), chance.percent(50) {
                end(load, .value(held))
                return .notModified
            }
            end(load, .value(load))
            return .value(load, LoadDetails(etag: "\(load)", isCacheable: mood != .uncacheable))
        }
    }

    /// What a load answers that has been cancelled, be it at its hard deadline, is to reach nobody: whoever gets it has
    /// a value from nowhere.
    private func end(_ load: Int, _ result: History.Load.Result) {
        history.endLoad(load, Task.isCancelled ? .cancelled : result)
    }

    private func wait(_ mood: Mood, _ load: Int) async throws {
        do {
            switch mood {
            case .slow: try await spawner.sleep(for: chance.time(upTo: .seconds(5)))
            case .uncacheable where chance.percent(30): try await spawner.sleep(for: chance.time(upTo: .seconds(5)))
            case .stuck: try await spawner.sleep(for: .seconds(60))
            case .deaf:
                let time = chance.time(upTo: hardDeadline * 2)
                await withTaskCancellationHandler {
                    await spawner.spawn { [spawner] in try? await spawner.sleep(for: time) }.wait()
                } onCancel: {
                    history.note("load \(load) is cancelled, and goes on")
                }
            default: try await spawner.sleep(for: chance.time(upTo: .milliseconds(300)))
            }
        } catch {
            // Some fetchers heed their cancellation late.
            if chance.percent(30) {
                await spawner.spawn { [spawner, chance] in
                    try? await spawner.sleep(for: chance.time(upTo: .seconds(1)))
                }.wait()
            }
            history.endLoad(load, .cancelled)
            throw error
        }
    }
}
