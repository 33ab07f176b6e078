import Freshet
import FreshetTesting
import NIOConcurrencyHelpers
import Testing

@Suite struct DeadlineTests {
    let spawner = TestSpawner()
    struct Broken: Error {}

    let late = CacheError(.storeTimedOut, "late")

    @Test func aResultInTimeIsReturnedAndTheTimerStopped() async throws {
        let value = try await withDeadline(.seconds(1), on: spawner, orThrow: late) { 7 }
        #expect(value == 7)
        await spawner.settle()
        #expect(spawner.sleepers == 0)
        #expect(spawner.runningTasks == 0)
    }

    @Test func anErrorInTimeIsThrown() async throws {
        await #expect(throws: Broken.self) {
            try await withDeadline(.seconds(1), on: spawner, orThrow: late) {
                throw Broken()
            }
        }
    }

    @Test func anOperationThatHeedsNothingIsLeftBehindAtTheLimit() async throws {
        let hanging = Hanging()
        async let failure = code {
            try await withDeadline(.seconds(1), on: spawner, orThrow: late) { await hanging.wait() }
        }
        try await spawner.waitForSleepers(1)
        await spawner.advance(by: .milliseconds(999))
        #expect(hanging.wasCancelled == nil)
        await spawner.advance(by: .milliseconds(1))
        #expect(await failure == .storeTimedOut)
        #expect(spawner.runningTasks == 1)
        hanging.end()
        await spawner.settle()
        #expect(hanging.wasCancelled == true)
        #expect(spawner.runningTasks == 0)
    }

    @Test func aCancelledCallerIsFreeAtOnce() async throws {
        let hanging = Hanging()
        let caller = spawner.task {
            try await withDeadline(.seconds(1), on: spawner, orThrow: late) { await hanging.wait() }
        }
        try await spawner.waitForSleepers(1)
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        await spawner.settle()
        #expect(spawner.sleepers == 0)
        hanging.end()
        await spawner.settle()
        #expect(hanging.wasCancelled == true)
    }

    @Test(arguments: [true, false])
    func theEndIsToldOnceThoughTheCallerHasLeft(isInTime: Bool) async throws {
        let hanging = Hanging()
        let ends = NIOLockedValueBox<[Bool]>([])
        let caller = spawner.task {
            try await withDeadline(
                .seconds(1),
                on: spawner,
                orThrow: late,
                onEnd: { goesOn in ends.withLockedValue { $0.append(goesOn) } }
            ) { await hanging.wait() }
        }
        try await spawner.waitForSleepers(1)
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        await spawner.settle()
        #expect(ends.withLockedValue { $0 }.isEmpty)
        if !isInTime { await spawner.advance(by: .seconds(1)) }
        hanging.end()
        await spawner.settle()
        #expect(ends.withLockedValue { $0 } == [!isInTime])
        #expect(hanging.wasCancelled == true)
        #expect(spawner.sleepers == 0)
    }

    @Test func aCallerCancelledBeforehandRunsNothing() async throws {
        let ends = NIOLockedValueBox(0)
        let caller = spawner.task {
            while !Task.isCancelled { await Task.yield() }
            try await withDeadline(
                .seconds(1),
                on: spawner,
                orThrow: late,
                onEnd: { _ in ends.withLockedValue { $0 += 1 } }
            ) {}
        }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        #expect(spawner.startedTasks == 0)
        #expect(ends.withLockedValue { $0 } == 1)
    }

    @Test func thousandsOfRacesEachEndOnce() async {
        let spawner = SystemSpawner()
        let late = late
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<2000 {
                group.addTask {
                    let value = try? await withDeadline(.microseconds(index), on: spawner, orThrow: late) {
                        try await Task.sleep(for: .microseconds(1000))
                        return index
                    }
                    return value == nil || value == index
                }
                if index.isMultiple(of: 100) { await Task.yield() }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count == 2000)
        #expect(outcomes.allSatisfy { $0 })
    }

    private func code(_ operation: () async throws -> Void) async -> CacheError.Code? {
        do { try await operation() } catch let error as CacheError { return error.code } catch {}
        return nil
    }
}

/// Something that waits until it is told to end, whether or not it is cancelled.
final class Hanging: Sendable {
    private enum State {
        case idle, ended
        case waiting(UnsafeContinuation<Void, Never>)
    }

    private let state = NIOLockedValueBox(State.idle)
    private let cancelled = NIOLockedValueBox<Bool?>(nil)

    /// Whether its task had been cancelled when it ended; nil before.
    var wasCancelled: Bool? { cancelled.withLockedValue { $0 } }

    func wait() async {
        await withUnsafeContinuation { continuation in
            let isOver = state.withLockedValue { state in
                if case .ended = state { return true }
                state = .waiting(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
        cancelled.withLockedValue { $0 = Task.isCancelled }
    }

    func end() {
        let continuation = state.withLockedValue { state -> UnsafeContinuation<Void, Never>? in
            defer { state = .ended }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume()
    }
}
