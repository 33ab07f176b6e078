import Logging
import NIOConcurrencyHelpers
import NIOCore

/// What the store has yet to be told. Invalidations that could not be sent are kept until they can be: a store that
/// comes back must not serve what was invalidated while it was away, or shortly before. So are the leases it may hold for
/// nobody.
final class StoreBacklog: Sendable {
    private struct GivenUpLease {
        let key: String
        let token: String
        let end: MonotonicInstant
    }

    private struct State {
        var pending = PendingInvalidations()
        /// Those who wait for an invalidation that is on its way, by its ticket.
        var senders: [UInt64: [UnsafeContinuation<Void, any Error>]] = [:]
        var leases: [GivenUpLease] = []
        var recent = RecentWrites()
        var replay: SpawnedTask?
        /// How many invalidations have been queued since none was; the log says so of the first.
        var queued = 0
        var isClosed = false

        mutating func addAgain(_ lost: CircularBuffer<RecentWrites.Invalidated>) {
            if isClosed { return }
            for item in lost {
                pending.addAgain(item.invalidation, of: item.key, item.generation, isOthers: item.isOthers)
            }
        }

        /// Notes an invalidation that the store has taken.
        ///
        /// - Parameter sentAt: if there was a gap since, the store that took it may be there no longer.
        /// - Returns: whether it is to be told again.
        mutating func note(_ item: RecentWrites.Invalidated, sentAt: MonotonicInstant) -> Bool {
            recent.add(item)
            guard let gap = recent.lastGapBegan, sentAt <= gap else { return false }
            addAgain([item])
            return !isClosed
        }
    }

    private static let firstPause = Duration.seconds(1)
    /// Between rounds that the store refuses.
    private static let longestPause = Duration.seconds(10)
    /// Between rounds once there is little time left.
    private static let lastPause = Duration.milliseconds(200)

    /// Keys in one question.
    private static let batch = 512

    private let state = NIOLockedValueBox(State())
    private let store: GuardedStore
    private let spawner: any Spawner
    private let logger: Logger

    init(store: GuardedStore, spawner: any Spawner, logger: Logger) {
        self.store = store
        self.spawner = spawner
        self.logger = logger
    }

    /// Sends an invalidation, whatever becomes of the caller.
    ///
    /// - Parameter change: what goes with it, done once every read of the key waits for the invalidation.
    /// - Throws: ``CacheError`` where the store refuses it for good; with `shuttingDown` where it could not be sent, and
    ///   nobody is left to send it later.
    func send(
        _ invalidation: Invalidation,
        of key: String,
        _ change: () -> Void = {}
    ) async throws -> InvalidationOutcome {
        add(invalidation, of: key)
        change()
        do {
            try await flush(key)
            return .done
        } catch let error as CacheError where error.isFinal {
            throw error
        } catch {
            guard !state.withLockedValue({ $0.isClosed }) else {
                throw CacheError(.shuttingDown, "the store was not told of an invalidation", underlying: error)
            }
            sendLater(after: error)
            return .queued
        }
    }

    /// Keeps an invalidation that could not be sent.
    ///
    /// - Parameters:
    ///   - lease: of the load that a removal is for: what is newer stays.
    ///   - error: why it could not be sent, for the log.
    func keep(_ invalidation: Invalidation, of key: String, under lease: Lease? = nil, after error: any Error) {
        add(invalidation, of: key, under: lease)
        sendLater(after: error)
    }

    private func sendLater(after error: any Error) {
        let isFirst = state.withLockedValue { state in
            state.queued += 1
            return state.queued == 1
        }
        startReplay()
        if isFirst {
            logger.warning("invalidations are queued until the store takes them", metadata: ["error": "\(error)"])
        }
    }

    /// Sends what is pending for a key, once for all who want that; before, only who has been overtaken since may read
    /// anything of the key from the store.
    func flush(_ key: String) async throws {
        guard state.withLockedValue({ $0.pending.ticket(for: key) }) != nil else { return }
        try await withUnsafeThrowingContinuation { (waiter: UnsafeContinuation<Void, any Error>) in
            let (ticket, isFirst) = state.withLockedValue { state in
                let ticket = state.pending.ticket(for: key)
                if let ticket { state.senders[ticket.number, default: []].append(waiter) }
                return (ticket, ticket.flatMap { state.senders[$0.number]?.count } == 1)
            }
            guard let ticket else { return waiter.resume() }
            if isFirst { spawner.spawn { await self.deliver(ticket) } }
        }
    }

    func isPending(_ key: String) -> Bool { state.withLockedValue { $0.pending.ticket(for: key) != nil } }

    private func deliver(_ ticket: PendingInvalidations.Ticket) async {
        let sentAt = spawner.now()
        let result: Result<Invalidation?, any Error>
        do {
            result = .success(try await send(ticket))
        } catch {
            result = .failure(error)
        }
        let now = spawner.now()
        let (waiters, isLost) = state.withLockedValue { state in
            var isLost = false
            switch result {
            case .success(let taken):
                state.pending.settle(ticket)
                isLost =
                    taken.map { state.note(.init(key: ticket.key, invalidation: $0, at: now), sentAt: sentAt) } ?? false
            case .failure(let error):
                if (error as? CacheError)?.isFinal ?? false { state.pending.settle(ticket) }
            }
            return (state.senders.removeValue(forKey: ticket.number) ?? [], isLost)
        }
        if isLost { startReplay() }
        for waiter in waiters { waiter.resume(with: result.map { _ in }) }
    }

    /// - Returns: what the store has taken for the first time.
    private func send(_ ticket: PendingInvalidations.Ticket) async throws -> Invalidation? {
        if let lease = ticket.lease { return try await store.dropEntry(ticket.key, lease) ? .remove : nil }
        if ticket.isComparable, let known = try await store.checkEntries([ticket.key]).first, ticket.isKept(by: known) {
            return nil
        }
        try await store.invalidateEntry(ticket.key, ticket.invalidation)
        return ticket.isRepeated ? nil : ticket.invalidation
    }

    /// Gives up a lease that was granted or may have been, in a task that the caller's cancellation does not reach. What
    /// has overtaken its load goes first: that ends the lease, and leaves the slot of a load on schedule as had.
    func giveUp(_ token: String, of key: String, heldFor limit: Duration) async {
        let lease = GivenUpLease(key: key, token: token, end: spawner.now() + limit)
        let result = await spawner.outliving {
            try await self.flush(key)
            try await self.store.releaseEntry(key, token: token)
        }
        switch result {
        case .success: noteEnd(ofLoadUnder: token, of: key, heldFor: limit)
        case .failure(let error): if (error as? CacheError)?.isFinal != true { giveUpLater(lease) }
        }
    }

    /// The same after the store has failed, without waiting for it to fail once more: now, and again a moment later, since
    /// the first release may overtake the request, which is still on its way.
    func giveUpMeanwhile(_ token: String, of key: String, heldFor limit: Duration) {
        let lease = GivenUpLease(key: key, token: token, end: spawner.now() + limit)
        spawner.spawn {
            try? await self.store.releaseEntry(key, token: token)
            self.giveUpLater(lease)
        }
    }

    private func giveUpLater(_ lease: GivenUpLease) {
        state.withLockedValue { $0.leases.append(lease) }
        startReplay()
    }

    /// Notes an invalidation that the store has taken, to be told again after a gap.
    ///
    /// - Parameters:
    ///   - generation: the key's since, where that is known.
    ///   - sentAt: when it was sent.
    func note(
        _ invalidation: Invalidation,
        of key: String,
        _ generation: Generation? = nil,
        sentAt: MonotonicInstant
    ) {
        let now = spawner.now()
        let item = RecentWrites.Invalidated(key: key, invalidation: invalidation, generation: generation, at: now)
        if state.withLockedValue({ $0.note(item, sentAt: sentAt) }) { startReplay() }
    }

    /// Notes an invalidation of another process, or of this one, that its message told of.
    func noteTold(_ invalidation: Invalidation, of key: String, _ generation: Generation) {
        let now = spawner.now()
        let item = RecentWrites.Invalidated(
            key: key,
            invalidation: invalidation,
            generation: generation,
            at: now,
            isOthers: true
        )
        state.withLockedValue { $0.recent.add(item) }
    }

    /// Notes that the store has taken the end of a load.
    func noteEnd(ofLoadUnder token: String, of key: String, heldFor limit: Duration) {
        let now = spawner.now()
        let end = RecentWrites.LoadEnd(key: key, token: token, leaseEnd: now + limit, at: now)
        state.withLockedValue { $0.recent.add(end) }
    }

    /// From now on the store may be another, or lack what it took shortly before: before anything of a key is read from it,
    /// it is told again.
    func gapBegan() {
        let now = spawner.now()
        state.withLockedValue { $0.addAgain($0.recent.gapBegan(at: now)) }
    }

    /// Tells the store again, of all keys, what it may have lost.
    func gapEnded() {
        let now = spawner.now()
        let isNeeded = state.withLockedValue { state in
            let (invalidated, loadEnds) = state.recent.gapEnded(at: now)
            if state.isClosed || invalidated.isEmpty && loadEnds.isEmpty { return false }
            state.addAgain(invalidated)
            state.leases += loadEnds.map { GivenUpLease(key: $0.key, token: $0.token, end: $0.leaseEnd) }
            return true
        }
        guard isNeeded else { return }
        logger.info("the store is told again of its last invalidations and loads: it may have lost them")
        startReplay()
        spawner.spawn {
            if await self.sendAll() == nil { _ = await self.releaseAll() }
        }
    }

    /// Whether the store could not be told of an invalidation, and has not been since.
    var isBehind: Bool {
        state.withLockedValue { $0.replay != nil && $0.queued > 0 && $0.pending.newCount > 0 }
    }

    /// The same of one key.
    func isBehind(with key: String) -> Bool {
        state.withLockedValue { state in
            state.replay != nil && state.queued > 0 && state.pending.ticket(for: key)?.isRepeated == false
        }
    }

    /// Stops replaying, and repeats nothing more. What is pending is left to ``sendRest()``.
    func close() {
        let replay = state.withLockedValue { state in
            state.isClosed = true
            state.pending.dropRepeated()
            return state.replay
        }
        replay?.cancel()
    }

    /// Sends what is pending, again and again until nothing is or this task is cancelled, and asks a store that is
    /// given a pause all the same.
    func sendRest() async {
        while !Task.isCancelled {
            let isEmpty = state.withLockedValue { $0.pending.isEmpty }
            if !isEmpty, !store.isAvailable { _ = await store.look(within: .zero, isUrgent: true) }
            if await sendAll() == nil { _ = await releaseAll() }
            guard state.withLockedValue({ !$0.pending.isEmpty }) else { return }
            try? await spawner.sleep(for: Self.lastPause)
        }
    }

    /// Invalidations that are still pending when the time to shut down is over are lost, and said so.
    func noteLost() {
        let lost = state.withLockedValue { state in
            defer { state.pending = PendingInvalidations() }
            return state.pending.newCount
        }
        if lost > 0 {
            logger.error(
                "the store took no invalidations before the end: they are lost",
                metadata: ["invalidations.lost": "\(lost)"]
            )
        }
    }

    private func add(_ invalidation: Invalidation, of key: String, under lease: Lease? = nil) {
        state.withLockedValue { $0.pending.add(invalidation, of: key, under: lease) }
    }

    private func startReplay() {
        state.withLockedValue { state in
            guard state.replay == nil, !state.isClosed else { return }
            state.replay = spawner.spawn { await self.replay() }
        }
    }

    private func replay() async {
        var pause = Self.firstPause
        while true {
            try? await spawner.sleep(for: pause)
            let now = spawner.now()
            let (isDone, queued) = state.withLockedValue { state in
                state.leases.removeAll { $0.end <= now }
                guard !state.isClosed, !(state.pending.isEmpty && state.leases.isEmpty) else {
                    defer { state.queued = 0 }
                    state.replay = nil
                    return (true, state.pending.isEmpty ? state.queued : 0)
                }
                return (false, 0)
            }
            if isDone {
                if queued > 0 {
                    logger.notice(
                        "the store has been told of all invalidations",
                        metadata: ["invalidations.queued": "\(queued)"]
                    )
                }
                return
            }
            let failures = await [sendAll(), releaseAll()]
            let isRefused = failures.contains { $0?.code == .storeRejected }
            pause = isRefused ? min(pause * 2, Self.longestPause) : Self.firstPause
        }
    }

    /// Sends what is pending, and first what the store has never taken, until it takes no more of either.
    ///
    /// - Returns: why it takes no more.
    private func sendAll() async -> CacheError? {
        let new = await sendAll(isRepeated: false)
        await settleKept()
        let repeated = await sendAll(isRepeated: true)
        return new ?? repeated
    }

    /// Forgets what the store need not be told again, many keys at a time. What it does not answer is asked for one by one.
    private func settleKept() async {
        var rest = state.withLockedValue { $0.pending.comparable }[...]
        while !rest.isEmpty {
            let tickets = rest.prefix(Self.batch)
            guard let known = try? await store.checkEntries(tickets.map(\.key)) else { return }
            state.withLockedValue { state in
                for (ticket, known) in zip(tickets, known) where ticket.isKept(by: known) {
                    state.pending.settle(ticket)
                }
            }
            rest.removeFirst(tickets.count)
        }
    }

    /// In whatever order, so that one that is never taken does not hold up the others for ever.
    private func sendAll(isRepeated: Bool) async -> CacheError? {
        var chance = Chance(spawner)
        let keys = state.withLockedValue { $0.pending.keys(isRepeated: isRepeated) }
        for key in keys.shuffled(using: &chance) {
            do {
                try await flush(key)
            } catch let error as CacheError where error.isFinal {
                logger.error("the store refuses an invalidation", metadata: ["error": "\(error)"])
            } catch {
                return error as? CacheError
            }
        }
        return nil
    }

    /// Releases leases until the store takes no more.
    private func releaseAll() async -> CacheError? {
        while let lease = state.withLockedValue({ $0.leases.popLast() }) {
            do {
                try await store.releaseEntry(lease.key, token: lease.token)
            } catch let error as CacheError where error.isFinal {
                continue
            } catch {
                state.withLockedValue { $0.leases.insert(lease, at: 0) }
                return error as? CacheError
            }
        }
        return nil
    }
}

extension CacheError {
    /// Whether the store need not be told any more, since it cannot serve the key. Whatever else it refuses, it may go on
    /// serving what it holds.
    var isFinal: Bool { isOfKey || code == .invalidArgument }
}
