import BoundedCache
import NIOConcurrencyHelpers

/// Loads that their callers share: ``FlightTable`` with a lock, continuations and tasks.
package final class SharedLoads: Sendable {
    /// Loads, for readers or because somebody forced it.
    typealias Run = @Sendable (Flight, FlightPurpose) async throws -> any Sendable
    private typealias Outcome = Result<any Sendable, any Error>
    private typealias Waiter = UnsafeContinuation<Outcome, Never>

    private struct State {
        var table = FlightTable<Waiter>()
        var flights: [FlightID: Departure] = [:]
        var lastSeat: SeatID = 0
        /// Keys being stored or purged by flights, and who waits until that is over.
        var storing: [ExactKey: (flights: Set<FlightID>, waiters: [UnsafeContinuation<Void, Never>])] = [:]
        /// How many write to a key.
        var writers: [ExactKey: Int] = [:]
        var isClosed = false

        mutating func count(_ change: Int, writersTo key: String) {
            let count = (writers[key] ?? 0) + change
            writers[key] = count > 0 ? count : nil
        }
    }

    private struct Departure {
        let key: String
        let run: Run
        /// The loads that whoever opened the flight runs inside of.
        let lineage: LoadLineage
        var task: SpawnedTask?
        var isAbandoned = false
    }

    private let state = NIOLockedValueBox(State())
    private let lineageOwner = LoadLineage.Owner()
    private let base: any Spawner
    private let spawner: CountingSpawner

    init(spawner: any Spawner) {
        base = spawner
        self.spawner = CountingSpawner(spawner)
    }

    /// Waits for the load of a key, which `run` begins if none is under way that would do.
    ///
    /// - Throws: what the load throws; ``CacheError`` with `circularLoad` or `shuttingDown`; `CancellationError`.
    func wait(for key: String, _ want: FlightWant, _ run: @escaping Run) async throws -> any Sendable {
        let seat = state.withLockedValue { state in
            state.lastSeat += 1
            return state.lastSeat
        }
        return try await withTaskCancellationHandler {
            await withUnsafeContinuation { waiter in
                sit(seat, waiter, key, want, run)
                if Task.isCancelled { leave(seat) }
            }
        } onCancel: {
            leave(seat)
        }.get()
    }

    /// Writes to keys. Loads of them that begin before it is over are not stored from now on, and not joined once it
    /// is.
    func withWrite<Answer>(to keys: [String], _ write: () async throws -> Answer) async rethrows -> Answer {
        overtake(keys, writers: 1)
        for key in keys { await waitForStoring(of: key) }
        // A load that began meanwhile may have read what has been overwritten.
        defer { overtake(keys, writers: -1) }
        return try await write()
    }

    /// - Parameter change: how many more write to the keys from now on.
    private func overtake(_ keys: [String], writers change: Int) {
        let now = spawner.now()
        let starts = state.withLockedValue { state in
            for key in keys { state.count(change, writersTo: key) }
            // None is abandoned: here a load ends with its last waiter.
            return keys.flatMap { state.table.invalidate($0, at: now).starts }
        }
        start(starts)
    }

    /// Waits until no flight stores or purges the key any more. The store's deadline bounds it.
    private func waitForStoring(of key: String) async {
        guard state.withLockedValue({ $0.storing[key] != nil }) else { return }
        await withUnsafeContinuation { waiter in
            let isOver = state.withLockedValue { state in
                state.storing[key]?.waiters.append(waiter)
                return state.storing[key] == nil
            }
            if isOver { waiter.resume() }
        }
    }

    /// Whether readers of a key would wait for a load though something may be stored.
    func areHeldUp(on key: String) -> Bool { state.withLockedValue { $0.table.areReadersHeldUp(on: key) } }

    /// How many wait for loads of a key.
    package func waiters(for key: String) -> Int { state.withLockedValue { $0.table.waiters(of: key) } }

    /// Refuses new loads, cancels those under way, and waits for their end, until an instant at most, even if the caller
    /// is cancelled.
    ///
    /// - Parameter fallback: is called where one goes on.
    func close(by end: MonotonicInstant, orElse fallback: @escaping @Sendable () -> Void) async {
        let (tasks, starts) = state.withLockedValue { state in
            state.isClosed = true
            for id in state.flights.keys { state.flights[id]?.isAbandoned = true }
            return (state.flights.values.compactMap(\.task), state.table.forgetFetches(at: spawner.now()))
        }
        for task in tasks { task.cancel() }
        start(starts)
        await base.running(until: end, { [spawner] in await spawner.drain() }, orElse: fallback).wait()
    }
}

extension SharedLoads {
    /// What a load knows of itself.
    struct Flight: Sendable {
        fileprivate let owner: SharedLoads
        fileprivate let id: FlightID
        fileprivate let key: String
        fileprivate let lineage: LoadLineage

        /// Runs a load within its deadline, and so that one that waits for itself is found out.
        func run<Value: Sendable>(
            _ load: @escaping @Sendable () async throws -> Value,
            within deadline: Duration
        ) async throws -> Value {
            var lineage = lineage
            lineage[owner.lineageOwner].flight = id
            owner.state.withLockedValue { $0.table.beginFetch(id) }
            return try await withDeadline(
                deadline,
                on: owner.spawner,
                orThrow: CacheError(.sourceTimedOut, "the load took longer than \(deadline)"),
                onEnd: { _ in owner.endFetch(id) }
            ) { [lineage] in
                do {
                    return try await LoadLineage.$current.withValue(lineage, operation: load)
                } catch is CancellationError where !Task.isCancelled {
                    throw CacheError(.sourceFailed, "the load gave up by itself")
                }
            }
        }

        /// Waits until the flights that this one has overtaken no longer change what is stored.
        func waitForOvertaken() async { await owner.waitForStoring(of: key) }

        /// Changes what is stored, unless the flight has been abandoned or overtaken, or is about to be, by a write
        /// that is under way; whoever overtakes it from now on waits for the end of that.
        func whileCurrent(_ change: () async throws -> Void) async throws {
            guard owner.beginStoring(key, id) else { return }
            defer { owner.endStoring(key, id) }
            try await change()
        }
    }

    private func endFetch(_ id: FlightID) {
        start(state.withLockedValue { $0.table.endFetch(id, at: spawner.now()) })
    }

    private func beginStoring(_ key: String, _ id: FlightID) -> Bool {
        state.withLockedValue { state in
            guard state.table.isCurrent(id), state.writers[key] == nil else { return false }
            state.storing[key, default: ([], [])].flights.insert(id)
            return true
        }
    }

    private func endStoring(_ key: String, _ id: FlightID) {
        let waiters = state.withLockedValue { state in
            state.storing[key]?.flights.remove(id)
            guard state.storing[key]?.flights.isEmpty == true else { return [UnsafeContinuation<Void, Never>]() }
            return state.storing.removeValue(forKey: ExactKey(key))?.waiters ?? []
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension SharedLoads {
    private func sit(_ seat: SeatID, _ waiter: Waiter, _ key: String, _ want: FlightWant, _ run: @escaping Run) {
        let lineage = LoadLineage.current
        let parent = lineage[lineageOwner].flight
        // Its loads need no place. But a load that joins one of these may have a place that it will wait for.
        _ = lineage.beginWait(for: lineageOwner)
        let start: Result<FlightStart?, CacheError> = state.withLockedValue { state in
            guard !state.isClosed else { return .failure(Self.shutDownError) }
            switch state.table.join(key, want: want, seat: (seat, waiter, parent), at: spawner.now()).joined {
            case .joined:
                return .success(nil)
            case .opened(let id, let purpose):
                state.flights[id] = Departure(key: key, run: run, lineage: lineage)
                return .success(.init(id: id, purpose: purpose))
            case .queued(let id):
                state.flights[id] = Departure(key: key, run: run, lineage: lineage)
                return .success(nil)
            case .circular:
                return .failure(CacheError(.circularLoad, "the load of a key waits for itself"))
            }
        }
        switch start {
        case .success(let start?): self.start([start])
        case .success(nil): break
        case .failure(let error): waiter.resume(returning: .failure(error))
        }
    }

    private func leave(_ seat: SeatID) {
        var gone: Departure?
        let (left, task) = state.withLockedValue { state in
            let left = state.table.leave(seat, at: spawner.now())
            guard let id = left?.abandoned else { return (left, nil as SpawnedTask?) }
            guard state.table.contains(id) else {
                gone = state.flights.removeValue(forKey: id)
                return (left, nil)
            }
            state.flights[id]?.isAbandoned = true
            return (left, state.flights[id]?.task)
        }
        guard let left else { return }
        task?.cancel()
        left.waiter.resume(returning: .failure(CancellationError()))
        start(left.starts)
        withExtendedLifetime(gone) {}
    }

    private func start(_ starts: [FlightStart]) {
        for start in starts {
            guard let departure = state.withLockedValue({ $0.flights[start.id] }) else { continue }
            let task = spawner.spawn { await self.fly(start, departure) }
            let isAbandoned = state.withLockedValue { state in
                state.flights[start.id]?.task = task
                return state.flights[start.id]?.isAbandoned ?? false
            }
            if isAbandoned { task.cancel() }
        }
    }

    private func fly(_ start: FlightStart, _ departure: Departure) async {
        var outcome: Outcome
        do {
            let flight = Flight(owner: self, id: start.id, key: departure.key, lineage: departure.lineage)
            outcome = .success(try await departure.run(flight, start.purpose))
        } catch {
            outcome = .failure(error)
        }
        let (seats, starts) = state.withLockedValue { state in
            state.flights[start.id] = nil
            if state.isClosed, case .failure = outcome { outcome = .failure(Self.shutDownError) }
            return state.table.land(start.id, at: spawner.now())
        }
        for seat in seats { seat.waiter.resume(returning: outcome) }
        self.start(starts)
    }

    private static var shutDownError: CacheError { CacheError(.shuttingDown, "the cache service has been shut down") }
}
