import BoundedCache

typealias FlightID = UInt64
typealias SeatID = UInt64

/// Which loads are under way, who waits for them, and which of them an invalidation has overtaken. Pure: no task, no
/// clock.
///
/// Per key one flight is *current*: readers join it. An invalidation *overtakes* it: it runs on for those who joined
/// before, and is *abandoned* where nobody is left of them; whoever comes later opens a new flight. No more than two
/// flights of a key run at once; one that has been abandoned counts only while its fetcher runs, which may not heed its
/// cancellation. A third waits in the *queue* until one of them has ended, and is joined there. A forced refresh overtakes
/// an ordinary flight, but queues behind a forced one. A forced flight that was overtaken before its load began overtakes
/// in turn, when that begins, those whose loads have begun before.
struct FlightTable<Waiter: Sendable>: Sendable {
    struct Seat: Sendable {
        let want: FlightWant
        let waiter: Waiter
        /// The flight whose load waits here.
        let parent: FlightID?
    }

    private struct Flight: Sendable {
        let key: String
        var purpose: FlightPurpose
        /// The load that it answers with began then or later. If it is forced and has yet to begin, when its lease was asked
        /// for, which may have been granted since; the distant future before that, and the distant past where it ends without.
        var begunAt: MonotonicInstant
        var seats: [SeatID: Seat] = [:]
        /// Goes on though nobody waits, until it is overtaken.
        var isBackground = false
        var news = FlightNews()
        var hasMetBadBytes = false
        /// How many of this flight's own loads wait for others.
        var waitsFor: [FlightID: Int] = [:]
    }

    private struct Slot: Sendable {
        var current: FlightID?
        var running: Set<FlightID> = []
        var queued: FlightID?
        /// Loads on schedule, beside the readers, who go on with what there is.
        var aside: FlightID?
        /// That one, and such as have been overtaken and may still have their leases.
        var asides: Set<FlightID> = []

        /// Those that no invalidation has overtaken.
        var upToDate: [FlightID] { [current, aside, queued].compactMap(\.self) }

        mutating func overtakeAll() { (current, aside) = (nil, nil) }
    }

    private static var mostRunning: Int { 2 }

    /// Whether a flight may wait for another one's lease on its key before its load begins. That one may have been
    /// overtaken: a forced refresh that cools down leaves it its lease.
    private let hasLeases: Bool
    private var flights: [FlightID: Flight] = [:]
    private var slots: [ExactKey: Slot] = [:]
    /// The flights whose fetchers run, and their keys; some may have landed.
    private var fetching: [FlightID: String] = [:]
    private var flightOfSeat: [SeatID: FlightID] = [:]
    private var lastID: FlightID = 0

    init(hasLeases: Bool = false) { self.hasLeases = hasLeases }

    /// Joins the flight of a key, or opens one.
    ///
    /// - Parameters:
    ///   - seat: nil starts a flight nobody waits for.
    ///   - goesOn: whether the flight goes on when nobody waits for it any more.
    /// - Returns: the flight, and those that are to be cancelled since they have been overtaken for it.
    mutating func join(
        _ key: String,
        want: FlightWant,
        seat: (id: SeatID, waiter: Waiter, parent: FlightID?)?,
        goesOn: Bool = false,
        at now: MonotonicInstant
    ) -> (joined: JoinedFlight, abandoned: [FlightID]) {
        let found = find(key, want)
        let parent = seat?.parent.flatMap { flights[$0] == nil ? nil : $0 }
        if let parent, (found.map { [$0.id] } ?? blockers(key)).contains(where: { waits($0, for: parent) }) {
            return (.circular, [])
        }
        var abandoned: [FlightID] = []
        let (id, joined) = place(key, want, found, at: now, &abandoned)
        if seat == nil || goesOn { flights[id]?.isBackground = true }
        guard let seat else { return (joined, abandoned) }
        if let parent { flights[parent]?.waitsFor[id, default: 0] += 1 }
        flightOfSeat[seat.id] = id
        flights[id]?.seats[seat.id] = Seat(want: want, waiter: seat.waiter, parent: seat.parent)
        return (joined, abandoned)
    }

    /// Opens a flight that nobody joins: a load on schedule. An invalidation overtakes it as any other.
    mutating func openAside(_ key: String, at now: MonotonicInstant) -> FlightID {
        let id = add(key, .read, at: now)
        flights[id]?.isBackground = true
        slots[key, default: Slot()].aside = id
        slots[key]?.asides.insert(id)
        return id
    }

    /// Takes a waiter out.
    ///
    /// - Returns: the waiter, its flight if it has nobody left to run for, and flights that may run now.
    mutating func leave(
        _ seat: SeatID,
        at now: MonotonicInstant
    ) -> (waiter: Waiter, abandoned: FlightID?, starts: [FlightStart])? {
        guard let id = flightOfSeat.removeValue(forKey: seat), let left = flights[id]?.seats.removeValue(forKey: seat)
        else { return nil }
        unlink(left, from: id)
        guard let flight = flights[id], flight.seats.isEmpty, !flight.isBackground || isOvertaken(id) else {
            return (left.waiter, nil, [])
        }
        retire(id, of: flight.key)
        stopRunning(id, of: flight.key)
        if slots[flight.key]?.queued == id {
            slots[flight.key]?.queued = nil
            flights[id] = nil
        }
        return (left.waiter, id, startQueued(flight.key, at: now))
    }

    /// Hands out those waiters whom a value out of a cache will do; the flight goes on, unless it has been overtaken and
    /// nobody is left of them.
    mutating func answerReaders(
        _ id: FlightID,
        loadedAt instant: MonotonicInstant,
        isFresh: Bool,
        at now: MonotonicInstant
    ) -> (waiters: [Waiter], turn: FlightTurn) {
        guard let flight = flights[id] else { return ([], FlightTurn()) }
        let readers = flight.seats.filter { $0.value.want.accepts(loadedAt: instant, isFresh: isFresh) }
        for (seatID, seat) in readers {
            flights[id]?.seats[seatID] = nil
            flightOfSeat[seatID] = nil
            unlink(seat, from: id)
        }
        if !readers.isEmpty { flights[id]?.isBackground = true }
        let turn = readers.isEmpty || !isOvertaken(id) ? FlightTurn() : overtake(id, of: flight.key, at: now)
        return (readers.map(\.value.waiter), turn)
    }

    /// Whether somebody waits whom a value out of a cache will not do.
    func wantsMore(_ id: FlightID, thanLoadedAt instant: MonotonicInstant, isFresh: Bool) -> Bool {
        flights[id]?.seats.values.contains { !$0.want.accepts(loadedAt: instant, isFresh: isFresh) } ?? false
    }

    /// Whether it answers those who force a load, be they gone.
    func isForced(_ id: FlightID) -> Bool {
        flights[id].map { $0.purpose.isForced || $0.seats.values.contains { $0.want.isForced } } ?? false
    }

    /// A forced load of another process is to answer the flight, and began at an instant.
    ///
    /// - Returns: false where somebody waits whom that does not answer.
    mutating func antedate(_ id: FlightID, to instant: MonotonicInstant) -> Bool {
        guard let flight = flights[id], flight.seats.values.allSatisfy({ ($0.want.forcedSince ?? instant) <= instant })
        else { return false }
        flights[id]?.begunAt = min(flight.begunAt, instant)
        return true
    }

    /// The lease of a forced load is asked for. It invalidates what there is when it is granted, for those who have come
    /// so far.
    ///
    /// - Returns: when another forced load must have begun to answer all of them; nil where nobody is left.
    mutating func askToForce(_ id: FlightID, at now: MonotonicInstant) -> MonotonicInstant? {
        flights[id]?.begunAt = now
        return flights[id]?.seats.values.compactMap(\.want.forcedSince).max()
    }

    /// A forced load waits for its place, and its lease is asked for again.
    mutating func waitToForce(_ id: FlightID) { flights[id]?.begunAt = .distantFuture }

    /// A flight ends without a load: nobody joins it any more who forces one.
    mutating func giveUpForcing(_ id: FlightID) { flights[id]?.begunAt = .distantPast }

    /// Ends a flight.
    ///
    /// - Returns: those who still wait, with what they want, and flights that may run now.
    mutating func land(_ id: FlightID, at now: MonotonicInstant) -> (seats: [Seat], starts: [FlightStart]) {
        guard let flight = flights.removeValue(forKey: id) else { return ([], []) }
        for (seatID, seat) in flight.seats {
            flightOfSeat[seatID] = nil
            unlink(seat, from: id)
        }
        stopRunning(id, of: flight.key)
        slots[flight.key]?.asides.remove(id)
        retire(id, of: flight.key)
        return (Array(flight.seats.values), startQueued(flight.key, at: now))
    }

    /// The flight's fetcher begins. Until it has ended, the flight counts among those that run.
    mutating func beginFetch(_ id: FlightID) {
        guard let key = flights[id]?.key else { return }
        fetching[id] = key
        // It may have been abandoned a moment ago.
        if slots[key]?.asides.contains(id) != true { slots[key, default: Slot()].running.insert(id) }
    }

    /// The flight's fetcher has ended, or its time is over.
    ///
    /// - Returns: flights that may run now.
    mutating func endFetch(_ id: FlightID, at now: MonotonicInstant) -> [FlightStart] {
        guard let key = fetching.removeValue(forKey: id) else { return [] }
        if let flight = flights[id], !flight.seats.isEmpty || !isOvertaken(id) { return [] }
        stopRunning(id, of: key)
        return startQueued(key, at: now)
    }

    /// Whether a fetcher of the key goes on that was begun on schedule.
    func isFetchingAside(_ key: String) -> Bool {
        fetching.contains { $0.value == key && slots[key]?.running.contains($0.key) != true }
    }

    /// No fetcher counts any more.
    ///
    /// - Returns: flights that may run now.
    mutating func forgetFetches(at now: MonotonicInstant) -> [FlightStart] {
        let forgotten = fetching
        fetching = [:]
        return forgotten.flatMap { id, key in
            if flights[id] == nil { slots[key]?.running.remove(id) }
            return startQueued(key, at: now)
        }
    }

    /// The flights of the key that readers wait in, overtaken or not.
    func shared(of key: String) -> Set<FlightID> {
        guard let slot = slots[key] else { return [] }
        return slot.queued.map { slot.running.union([$0]) } ?? slot.running
    }

    /// The flight of the key that waits for its turn.
    func queued(of key: String) -> FlightID? { slots[key]?.queued }

    /// Whether the flight waits for its turn, and is the one that readers join.
    func isReadInQueue(_ id: FlightID) -> Bool {
        guard let slot = flights[id].flatMap({ slots[$0.key] }) else { return false }
        return slot.queued == id && slot.current == nil
    }

    /// The flights of its key that a flight may have to wait for.
    func ahead(of id: FlightID) -> [FlightID] {
        guard let slot = flights[id].flatMap({ slots[$0.key] }) else { return [] }
        return slot.running.union(slot.asides).filter { $0 != id }
    }

    /// Whether the flight is under way, and no invalidation has overtaken it.
    func isCurrent(_ id: FlightID) -> Bool {
        guard let slot = flights[id].flatMap({ slots[$0.key] }) else { return false }
        return slot.current == id || slot.aside == id
    }

    /// Whether what the flight brings may be kept: it has not been overtaken, and that is of the last generation that was
    /// told of.
    ///
    /// - Parameter instant: when the store was asked, for what the flight has had since before its load.
    func mayKeep(
        _ id: FlightID,
        of generation: Generation?,
        checkedAt instant: MonotonicInstant = .distantFuture
    ) -> Bool {
        !isOvertaken(id) && (flights[id]?.news.allows(generation, checkedAt: instant) ?? true)
    }

    /// Whether those who wait in the flight may be answered with what the store says of a generation. They have come
    /// before whatever overtook it.
    func mayAnswer(_ id: FlightID, of generation: Generation?) -> Bool {
        isOvertaken(id) || flights[id]?.news.allows(generation, checkedAt: .distantFuture) ?? false
    }

    /// Whether anybody waits in the flight.
    func isAwaited(_ id: FlightID) -> Bool { !(flights[id]?.seats.isEmpty ?? true) }

    /// Whether another process has told of something stored since the store was asked last.
    func hasNews(_ id: FlightID) -> Bool { flights[id]?.news.hasAny ?? false }

    /// Whether somebody has changed what is stored since the store was asked last, or given what was loaded.
    func isWritten(_ id: FlightID) -> Bool { flights[id]?.news.isWritten ?? false }

    /// Whether a forced load of the key has begun beside the flight since the store was asked last, be it for a lease.
    func hasLostLease(_ id: FlightID) -> Bool { flights[id]?.news.hasLostLease ?? false }

    /// When a forced load of the key has begun beside the flight, whose own has yet to begin.
    func forcedAt(_ id: FlightID) -> MonotonicInstant? { flights[id]?.news.forcedAt }

    /// Whether a flight that is under way meets bytes that are no value of its field, for the first time.
    mutating func meetsBadBytes(_ id: FlightID) -> Bool {
        guard flights[id]?.hasMetBadBytes == false else { return false }
        flights[id]?.hasMetBadBytes = true
        return true
    }

    mutating func forgetNews(_ id: FlightID) { flights[id]?.news.forget() }

    /// The flight's load begins. Whoever invalidated the key after the lease was granted has overtaken it.
    ///
    /// - Parameter generation: of the lease; nil where it begins without one, since the store is away.
    mutating func begin(_ id: FlightID, under generation: Generation?, at now: MonotonicInstant) -> FlightTurn {
        guard let key = flights[id]?.key, let isOvertaken = flights[id]?.news.begin(under: generation)
        else { return FlightTurn() }
        return isOvertaken && isCurrent(id) ? overtake(id, of: key, at: now) : FlightTurn()
    }

    /// A forced load begins: it overtakes those that have begun before, though its own flight may have been overtaken
    /// while it waited.
    ///
    /// - Returns: those that have yet to begin, which must ask the store again, and what is to be done about the others.
    mutating func beginForced(_ id: FlightID, at now: MonotonicInstant) -> (waiting: [FlightID], turn: FlightTurn) {
        guard let key = flights[id]?.key, let slot = slots[key] else { return ([], FlightTurn()) }
        flights[id]?.begunAt = now
        var waiting: [FlightID] = []
        var turn = FlightTurn()
        for other in slot.running.union(slot.asides).union(slot.upToDate) where other != id {
            if flights[other]?.news.hasBegun ?? true {
                turn += overtake(other, of: key, at: now)
            } else {
                flights[other]?.news.tellForced(at: now)
                waiting.append(other)
            }
        }
        return (waiting, turn)
    }

    /// Another process has changed the key. A flight whose load began under another generation, or under none, is
    /// overtaken if that was an invalidation; one whose load has not begun yet will see the change.
    mutating func tell(
        _ key: String,
        _ generation: Generation,
        isInvalidation: Bool,
        at now: MonotonicInstant
    ) -> FlightTurn {
        guard let slot = slots[key] else { return FlightTurn() }
        var turn = FlightTurn()
        for id in slot.upToDate {
            let isOvertaken = flights[id]?.news.tell(generation, isInvalidation: isInvalidation) ?? false
            if isOvertaken { turn += overtake(id, of: key, at: now) }
        }
        return turn
    }

    /// Somebody has changed what is stored under the key.
    mutating func tellWritten(_ key: String) {
        guard let slot = slots[key] else { return }
        for id in slot.upToDate { flights[id]?.news.tellWritten() }
    }

    /// Somebody may have changed what is stored under any key.
    mutating func tellEverythingWritten() { for id in flights.keys { flights[id]?.news.tellWritten() } }

    /// Overtakes the flights of a key.
    mutating func invalidate(_ key: String, at now: MonotonicInstant) -> FlightTurn {
        let abandoned = overtakeAll(key)
        return FlightTurn(abandoned: abandoned, starts: startQueued(key, at: now))
    }

    /// A flight has loaded without a lease, so that nothing kept a load on schedule from running beside it. What that one
    /// brings is no younger, and is not kept.
    mutating func giveUpAside(for id: FlightID) {
        guard let key = flights[id]?.key, slots[key]?.current == id else { return }
        slots[key]?.aside = nil
    }

    /// Whether the key is being loaded, or will be.
    func isLoading(_ key: String) -> Bool {
        guard let slot = slots[key] else { return false }
        // One that loads on schedule may only have asked whether to.
        let isLoadingAside = slot.aside.map { flights[$0]?.news.hasBegun ?? false } ?? false
        return slot.current != nil || slot.queued != nil || isLoadingAside
    }

    /// Whether readers of the key wait for a flight that does not look for what is stored: it keeps that while it loads, or
    /// its turn has yet to come.
    func areReadersHeldUp(on key: String) -> Bool {
        guard let slot = slots[key], let id = slot.current ?? slot.queued, let purpose = flights[id]?.purpose
        else { return false }
        return purpose == .force(.expire) || purpose == .read && slot.current == nil
    }

    /// How many wait for the key, in all its flights.
    func waiters(of key: String) -> Int { shared(of: key).reduce(0) { $0 + (flights[$1]?.seats.count ?? 0) } }

    func contains(_ id: FlightID) -> Bool { flights[id] != nil }
}

extension FlightTable {
    private typealias Found = (id: FlightID, isCooldown: Bool)

    /// The flight that will do, if there is one.
    ///
    /// Who forces a load is answered by a forced one that was asked for or began shortly before, and by one that has yet to
    /// be asked for.
    private func find(_ key: String, _ want: FlightWant) -> Found? {
        guard let slot = slots[key] else { return nil }
        guard case .force(let invalidation, let since) = want else {
            return (slot.current ?? slot.queued).map { ($0, false) }
        }
        if let id = slot.current, let flight = flights[id], flight.purpose.isForced, flight.begunAt >= since {
            if flight.begunAt < .distantFuture { return (id, true) }
            if [.force(.remove), .force(invalidation)].contains(flight.purpose) { return (id, false) }
        }
        return slot.queued.map { ($0, false) }
    }

    /// What a new flight may wait for: those that run, if it has to queue behind them or they may hold the lease that it
    /// wants, loads on schedule among them.
    private func blockers(_ key: String) -> Set<FlightID> {
        guard let slot = slots[key] else { return [] }
        let waits = hasLeases || slot.running.count >= Self.mostRunning || isForced(slot.current)
        return waits ? slot.running.union(slot.asides) : []
    }

    /// Joins the flight that was found, or makes one.
    private mutating func place(
        _ key: String,
        _ want: FlightWant,
        _ found: Found?,
        at now: MonotonicInstant,
        _ abandoned: inout [FlightID]
    ) -> (FlightID, JoinedFlight) {
        guard case .force(let invalidation, _) = want else {
            return found.map { ($0.id, .joined($0.id, isCooldown: false)) } ?? open(key, .read, at: now)
        }
        if let found, found.isCooldown { return (found.id, .joined(found.id, isCooldown: true)) }
        let isBehindForced = isForced(slots[key]?.current)
        if !isBehindForced { abandoned = overtakeAll(key) }
        if let found { return harden(found.id, invalidation) }
        return isBehindForced
            ? enqueue(key, .force(invalidation), at: now) : open(key, .force(invalidation), at: now)
    }

    private func isForced(_ id: FlightID?) -> Bool { id.flatMap { flights[$0]?.purpose.isForced } ?? false }

    /// Makes a forced flight of the one that waits.
    private mutating func harden(_ id: FlightID, _ invalidation: Invalidation) -> (FlightID, JoinedFlight) {
        if flights[id]?.purpose != .force(.remove) { flights[id]?.purpose = .force(invalidation) }
        return (id, .joined(id, isCooldown: false))
    }

    private mutating func open(_ key: String, _ purpose: FlightPurpose, at now: MonotonicInstant) -> (
        FlightID, JoinedFlight
    ) {
        guard (slots[key]?.running.count ?? 0) < Self.mostRunning else { return enqueue(key, purpose, at: now) }
        let id = add(key, purpose, at: now)
        makeCurrent(id)
        return (id, .opened(id, purpose))
    }

    private mutating func enqueue(_ key: String, _ purpose: FlightPurpose, at now: MonotonicInstant) -> (
        FlightID, JoinedFlight
    ) {
        let id = add(key, purpose, at: now)
        slots[key, default: Slot()].queued = id
        return (id, .queued(id))
    }

    private mutating func add(_ key: String, _ purpose: FlightPurpose, at now: MonotonicInstant) -> FlightID {
        lastID += 1
        flights[lastID] = Flight(key: key, purpose: purpose, begunAt: initialBegin(of: purpose, at: now))
        return lastID
    }

    private func initialBegin(of purpose: FlightPurpose, at now: MonotonicInstant) -> MonotonicInstant {
        hasLeases && purpose.isForced ? .distantFuture : now
    }

    private mutating func makeCurrent(_ id: FlightID) {
        guard let flight = flights[id] else { return }
        slots[flight.key, default: Slot()].current = id
        slots[flight.key]?.running.insert(id)
    }

    /// Nobody joins it any more, and nothing that it brings is kept.
    private mutating func retire(_ id: FlightID, of key: String) {
        if slots[key]?.current == id { slots[key]?.current = nil }
        if slots[key]?.aside == id { slots[key]?.aside = nil }
    }

    private mutating func overtake(_ id: FlightID, of key: String, at now: MonotonicInstant) -> FlightTurn {
        retire(id, of: key)
        let abandoned = abandon(id, of: key) ? [id] : []
        return FlightTurn(abandoned: abandoned, starts: startQueued(key, at: now))
    }

    /// - Returns: those that are abandoned for it.
    private mutating func overtakeAll(_ key: String) -> [FlightID] {
        guard let slot = slots[key] else { return [] }
        slots[key]?.overtakeAll()
        return slot.running.union(slot.asides).sorted().filter { abandon($0, of: key) }
    }

    private func isOvertaken(_ id: FlightID) -> Bool {
        guard let slot = flights[id].flatMap({ slots[$0.key] }) else { return true }
        return !slot.upToDate.contains(id)
    }

    /// Abandons a flight that has been overtaken, unless somebody waits for it. A load on schedule that has yet to begin
    /// will see the change.
    ///
    /// - Returns: whether it is abandoned.
    private mutating func abandon(_ id: FlightID, of key: String) -> Bool {
        guard let flight = flights[id], flight.seats.isEmpty,
            flight.news.hasBegun || slots[key]?.asides.contains(id) == false
        else { return false }
        stopRunning(id, of: key)
        return true
    }

    private mutating func stopRunning(_ id: FlightID, of key: String) {
        if fetching[id] == nil { slots[key]?.running.remove(id) }
    }

    private mutating func startQueued(_ key: String, at now: MonotonicInstant) -> [FlightStart] {
        guard let slot = slots[key] else { return [] }
        if let id = slot.queued, slot.current == nil, slot.running.count < Self.mostRunning, let flight = flights[id] {
            slots[key]?.queued = nil
            if flight.purpose.isForced { slots[key]?.aside = nil }
            let begunAt = initialBegin(of: flight.purpose, at: now)
            flights[id]?.begunAt = begunAt
            makeCurrent(id)
            return [FlightStart(id: id, purpose: flight.purpose)]
        }
        if slot.current == nil, slot.queued == nil, slot.asides.isEmpty, slot.running.isEmpty { slots[key] = nil }
        return []
    }

    private mutating func unlink(_ seat: Seat, from id: FlightID) {
        guard let parent = seat.parent, let count = flights[parent]?.waitsFor[id] else { return }
        flights[parent]?.waitsFor[id] = count > 1 ? count - 1 : nil
    }

    /// Whether `id` is `target`, or waits for it over any number of flights.
    private func waits(_ id: FlightID, for target: FlightID) -> Bool {
        var open = [id]
        var seen: Set<FlightID> = []
        while let next = open.popLast() {
            if next == target { return true }
            guard seen.insert(next).inserted, let flight = flights[next] else { continue }
            open += flight.waitsFor.keys
            // What is queued waits for what runs, and so may what has no lease yet, be it for a load on schedule.
            let hasNoLease = hasLeases && !flight.news.hasBegun
            guard let slot = slots[flight.key], slot.queued == next || hasNoLease else { continue }
            open += slot.running.union(slot.asides)
        }
        return false
    }
}
