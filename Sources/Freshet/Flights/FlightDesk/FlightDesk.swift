import NIOConcurrencyHelpers

/// Where readers wait for flights, and where flights are started, overtaken and landed: ``FlightTable`` with a lock,
/// continuations and tasks.
final class FlightDesk: Sendable {
    /// Runs a flight: ``FlightRunner/run(_:)``, by way of ``FieldCache``.
    typealias Runner = @Sendable (FlightDesk, AnyField, FlightID, FlightPurpose) async -> Void
    /// Checks what readers get while a flight loads, and hands the result to ``checkedInterim(_:_:_:of:)``:
    /// ``FlightRunner/checkInterim(_:)``.
    typealias Checker = @Sendable (FlightDesk, AnyField, FlightID, FlightAnswer) async -> Void
    typealias Waiter = UnsafeContinuation<FlightOutcome, Never>

    struct State {
        var table = FlightTable<Waiter>(hasLeases: true)
        var runs: [FlightID: Run] = [:]
        var lastSeat: SeatID = 0
        var lone: [SeatID: Lone] = [:]
        /// The generations of keys that other processes have told of last.
        var told = KeyMemory<Generation>()
        var isClosed = false
    }

    /// A load that nobody shares.
    struct Lone {
        var task: SpawnedTask?
        var isCancelled = false
    }

    struct Run {
        let field: AnyField
        /// The loads that whoever opened the flight runs inside of.
        let lineage: LoadLineage
        /// Until its turn comes, what waits for the soft deadline.
        var task: SpawnedTask?
        /// The soft deadline of one that had to wait for its turn.
        var lateAt: MonotonicInstant?
        var isAbandoned = false
        /// What it waits for, while another process has the lease.
        var pause: SpawnedTask?
        /// Whether another process has told of a change since the store was asked.
        var isTold = false
        /// What readers get meanwhile; none any more once the store has said otherwise.
        var interim: InterimAnswer?
        var isChecking = false
        /// Whether a message has come since the store was asked for what readers get.
        var isToldMeanwhile = false
        /// Whether the store is to be asked for what readers get: the load's lease is of another generation, or nobody has
        /// asked yet.
        var isDoubtful = false
        var isRefuted = false
        /// Whether the store has answered with what no message has told of yet: it is not asked again before one comes.
        var awaitsMessage = false

        /// Its turn has come: what readers were to get while it waited is none of its answers.
        mutating func takeTurn() { (interim, isDoubtful, isRefuted, awaitsMessage) = (nil, false, false, false) }
    }

    let state = NIOLockedValueBox(State())
    let lineageOwner = LoadLineage.Owner()
    let spawner: any Spawner
    private let limiter: LoadLimiter
    let l1: L1
    let trust: Trust
    private let runner: Runner
    let checker: Checker

    init(
        spawner: any Spawner,
        limiter: LoadLimiter,
        l1: L1,
        trust: Trust,
        runner: @escaping Runner,
        checker: @escaping Checker
    ) {
        self.spawner = spawner
        self.limiter = limiter
        self.l1 = l1
        self.trust = trust
        self.runner = runner
        self.checker = checker
    }

    /// Waits in the flight of a field, which is opened if need be.
    ///
    /// - Returns: how it ended, and whether a forced load that had begun already answers a forced refresh.
    /// - Throws: ``CacheError`` with `circularLoad` or `shuttingDown`; `CancellationError`.
    func wait(for field: AnyField, _ want: FlightWant) async throws -> (outcome: FlightOutcome, isCooldown: Bool) {
        let seat = state.withLockedValue { state in
            state.lastSeat += 1
            return state.lastSeat
        }
        var refusal: CacheError?
        var isCooldown = false
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                do throws(CacheError) {
                    isCooldown = try sit(field, want, seat: (seat, continuation, currentLoad))
                    if Task.isCancelled { leave(seat) }
                } catch {
                    refusal = error
                    continuation.resume(returning: .cancelled)
                }
            }
        } onCancel: {
            leave(seat)
        }
        if let refusal { throw refusal }
        if case .cancelled = outcome { throw CancellationError() }
        return (outcome, isCooldown)
    }

    /// Loads a field for nobody in particular, unless that is under way.
    func startInBackground(_ field: AnyField) {
        _ = try? sit(field, .read, seat: nil)
    }

    /// Runs a load that readers neither join nor wait for, but that an invalidation overtakes.
    ///
    /// - Returns: nil where new flights are refused, and while the fetcher of one that was cancelled goes on.
    func loadAside<Result: Sendable>(
        _ field: AnyField,
        _ load: @escaping @Sendable (FlightID) async -> Result
    ) async -> Result? {
        let id: FlightID? = state.withLockedValue { state in
            guard !state.isClosed, !state.table.isFetchingAside(field.key) else { return nil }
            let id = state.table.openAside(field.key, at: spawner.now())
            state.runs[id] = Run(field: field, lineage: LoadLineage())
            return id
        }
        guard let id else { return nil }
        defer { land(id, .cancelled) }
        let result: Result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let task = spawner.spawn { continuation.resume(returning: await load(id)) }
                note(task, of: id)
            }
        } onCancel: {
            _ = giveUp([id])
        }
        return result
    }

    /// Overtakes the flights of a field, and changes what is held under the same lock, so that no flight comes between.
    func invalidate(_ field: AnyField, _ change: (inout L1Change) -> Void) {
        typealias Invalidated = (old: InterimAnswer?, turn: FlightTurn)
        let invalidated = changing(then: { carryOut($0.turn) }) { state, l1 -> Invalidated in
            change(&l1)
            state.told.forget(field.key)
            let old = lendHeldAnew(of: field.key, &state)
            return (old, state.table.invalidate(field.key, at: spawner.now()))
        }
        withExtendedLifetime(invalidated.old) {}
    }

    /// Changes what is held, with no flight and no message in between.
    func change(_ body: (inout L1Change) -> Void) { changing { _, l1 in body(&l1) } }

    /// - Parameter next: comes before what was dropped is let go of, whose destructors may take long.
    @discardableResult
    func changing<Result>(
        then next: (Result) -> Void = { _ in },
        _ body: (inout State, inout L1Change) -> Result
    ) -> Result {
        var change = L1Change(of: l1)
        let result = state.withLockedValue { body(&$0, &change) }
        next(result)
        change.end()
        return result
    }

    /// The load of a flight begins, under a lease of the generation or without one.
    func begin(_ id: FlightID, under generation: Generation?) {
        carryOut(
            state.withLockedValue { state in
                if let generation, let interim = state.runs[id]?.interim,
                    interim.answer.entry.generation != generation
                {
                    state.runs[id]?.isDoubtful = true
                }
                return state.table.begin(id, under: generation, at: spawner.now())
            }
        )
    }

    func beginFetch(_ id: FlightID) { state.withLockedValue { $0.table.beginFetch(id) } }

    /// A flight's fetcher has ended, or its time is over.
    func endFetch(_ id: FlightID) { run(state.withLockedValue { $0.table.endFetch(id, at: spawner.now()) }) }

    /// The forced load of a flight is about to begin, under a lease of the generation or without one: what there is from
    /// before is no longer fresh, whoever brought it while the flight waited.
    func beginForced(_ id: FlightID, of field: AnyField, _ invalidation: Invalidation, under generation: Generation?) {
        typealias Begun = (old: [InterimAnswer], turn: FlightTurn)
        let begun = changing(then: { carryOut($0.turn) }) { state, l1 -> Begun in
            let now = spawner.now()
            state.told.forget(field.key)
            if invalidation == .remove || l1.peek(field.key).map({ now < $0.freshUntil }) ?? false {
                l1.invalidate(field.key, invalidation, unlessOf: generation)
            }
            let (waiting, turn) = state.table.beginForced(id, at: now)
            // The answer to its own readers, unless it is of the lease: the store may be about to confirm it.
            let own = state.runs[id]?.interim.flatMap { $0.answer.entry.generation == generation ? nil : id }
            let earlier = waiting + [own].compactMap(\.self)
            let old = earlier.compactMap { state.runs[$0]?.interim }
            for id in earlier { invalidateInterim(id, invalidation, of: generation, &state) }
            return (old, turn)
        }
        withExtendedLifetime(begun.old) {}
    }

    /// Whether somebody waits whom a value out of a cache will not do.
    func wantsMore(_ id: FlightID, than entry: Entry) -> Bool {
        let isFresh = spawner.now() < entry.freshUntil
        return state.withLockedValue {
            $0.table.wantsMore(id, thanLoadedAt: entry.loadedAt, isFresh: isFresh)
        }
    }

    /// Whether it answers those who force a load.
    func isForced(_ id: FlightID) -> Bool { state.withLockedValue { $0.table.isForced(id) } }

    /// A forced load of another process is to answer a flight; false where somebody waits whom that does not answer.
    func antedate(_ id: FlightID, to instant: MonotonicInstant) -> Bool {
        state.withLockedValue { $0.table.antedate(id, to: instant) }
    }

    /// The lease of a forced load is asked for now.
    ///
    /// - Returns: when another forced load must have begun to answer all who force this one.
    func askToForce(_ id: FlightID, at now: MonotonicInstant) -> MonotonicInstant? {
        state.withLockedValue { $0.table.askToForce(id, at: now) }
    }

    /// A forced load waits for its place.
    func waitToForce(_ id: FlightID) { state.withLockedValue { $0.table.waitToForce(id) } }

    /// A flight ends without a load, and answers nobody who forces one from now on.
    func giveUpForcing(_ id: FlightID) { state.withLockedValue { $0.table.giveUpForcing(id) } }

    /// Whether a flight meets bytes that are no value of its field for the first time.
    func meetsBadBytes(_ id: FlightID) -> Bool { state.withLockedValue { $0.table.meetsBadBytes(id) } }

    func waiters(of key: String) -> Int { state.withLockedValue { $0.table.waiters(of: key) } }

    func isLoading(_ key: String) -> Bool { state.withLockedValue { $0.table.isLoading(key) } }

    /// The flight whose load this task runs.
    var currentLoad: FlightID? { LoadLineage.current[lineageOwner].flight }

    /// Refuses new flights and cancels those under way.
    func close() {
        let (tasks, starts) = state.withLockedValue { state in
            state.isClosed = true
            for id in state.runs.keys { state.runs[id]?.isAbandoned = true }
            for id in state.lone.keys { state.lone[id]?.isCancelled = true }
            let tasks = state.runs.values.compactMap(\.task) + state.lone.values.compactMap(\.task)
            return (tasks, state.table.forgetFetches(at: spawner.now()))
        }
        for task in tasks { task.cancel() }
        // Cancelled, too, those who wait for their turn behind a fetcher that goes on hear of the end.
        run(starts)
    }

    static var shutDownError: CacheError { CacheError(.shuttingDown, "the field cache has been shut down") }
}

extension FlightDesk {
    /// - Returns: whether a forced load that has begun already answers.
    private func sit(
        _ field: AnyField,
        _ want: FlightWant,
        seat: (id: SeatID, waiter: Waiter, parent: FlightID?)?
    ) throws(CacheError) -> Bool {
        let lineage = seat == nil ? LoadLineage() : LoadLineage.current
        var meanwhile = Meanwhile.wait
        var abandoned: [FlightID] = []
        let joined: JoinedFlight? = state.withLockedValue { state in
            guard !state.isClosed else { return nil }
            let (joined, overtaken) = state.table.join(
                field.key,
                want: want,
                seat: seat,
                goesOn: field.policy.backgroundCompletion,
                at: spawner.now()
            )
            abandoned = overtaken
            switch joined {
            case .opened(let id, _): state.runs[id] = Run(field: field, lineage: lineage)
            case .queued(let id):
                let lateAt = field.policy.softDeadline.map { spawner.now() + $0 }
                let late = lateAt.map { answerLateReaders(id, nil, at: $0) }
                state.runs[id] = Run(field: field, lineage: lineage, task: late, lateAt: lateAt)
                if seat != nil { meanwhile = self.meanwhile(in: id, want, &state) }
            case .joined(let id, _): if seat != nil { meanwhile = self.meanwhile(in: id, want, &state) }
            case .circular: break
            }
            return joined
        }
        carryOut(.init(abandoned: abandoned))
        let isInLoad = lineage.beginWait(for: lineageOwner)
        switch joined {
        case .joined(let id, let isCooldown):
            if isInLoad { hurry(id) }
            perform(meanwhile, in: id)
            return isCooldown
        case .opened(let id, let purpose):
            if isInLoad { hurry(id) }
            run([.init(id: id, purpose: purpose)])
        case .queued(let id):
            if isInLoad { hurry(id) }
            perform(meanwhile, in: id)
        case .circular: throw .circular(field)
        case nil: throw Self.shutDownError
        }
        return false
    }

    /// A load waits for the flight, which therefore must not wait for that load's place, nor for a flight that does.
    private func hurry(_ id: FlightID) {
        rush(id)
        for other in state.withLockedValue({ $0.table.ahead(of: id) }) { rush(other) }
    }

    private func rush(_ id: FlightID) {
        limiter.hurry(id)
        // It may have landed meanwhile.
        if !state.withLockedValue({ $0.table.contains(id) }) { limiter.forget(id) }
    }

    private func leave(_ seat: SeatID) {
        guard let left = state.withLockedValue({ $0.table.leave(seat, at: spawner.now()) }) else { return }
        let gone = giveUp([left.abandoned].compactMap(\.self))
        left.waiter.resume(returning: .cancelled)
        run(left.starts)
        withExtendedLifetime(gone) {}
    }

    func carryOut(_ turn: FlightTurn) {
        let gone = giveUp(turn.abandoned)
        run(turn.starts)
        withExtendedLifetime(gone) {}
    }

    /// Cancels flights that have been abandoned.
    ///
    /// - Returns: what is left of those whose turn had not come, to be let go of when the others run.
    private func giveUp(_ flights: [FlightID]) -> [Run] {
        guard !flights.isEmpty else { return [] }
        var gone: [Run] = []
        let tasks = state.withLockedValue { state in
            flights.compactMap { id -> SpawnedTask? in
                state.runs[id]?.isAbandoned = true
                let task = state.runs[id]?.task
                if !state.table.contains(id), let run = state.runs.removeValue(forKey: id) { gone.append(run) }
                return task
            }
        }
        for id in flights { limiter.forget(id) }
        for task in tasks { task.cancel() }
        return gone
    }

    private func run(_ starts: [FlightStart]) {
        for start in starts {
            let run: Run? = state.withLockedValue { state in
                defer { state.runs[start.id]?.takeTurn() }
                return state.runs[start.id]
            }
            guard let run else { continue }
            let task = spawner.spawn { [field = run.field, lineage = run.lineage] in
                await LoadLineage.$current.withValue(lineage) {
                    await self.runner(self, field, start.id, start.purpose)
                }
            }
            run.task?.cancel()
            note(task, of: start.id)
        }
    }

    /// A flight runs in a task from now on.
    private func note(_ task: SpawnedTask, of id: FlightID) {
        let isAbandoned = state.withLockedValue { state in
            state.runs[id]?.task = task
            return state.runs[id]?.isAbandoned ?? false
        }
        if isAbandoned { task.cancel() }
    }

    /// Ends a flight and answers those who still wait. What readers got meanwhile is let go of under no lock.
    func land(_ id: FlightID, _ outcome: FlightOutcome) {
        let (ended, forcedAt, landed) = state.withLockedValue { state in
            (state.runs.removeValue(forKey: id), state.table.forcedAt(id), state.table.land(id, at: spawner.now()))
        }
        let outcome = forcedAt.map(outcome.bounded) ?? outcome
        limiter.forget(id)
        for seat in landed.seats { seat.waiter.resume(returning: outcome) }
        run(landed.starts)
        withExtendedLifetime(ended) {}
    }
}
