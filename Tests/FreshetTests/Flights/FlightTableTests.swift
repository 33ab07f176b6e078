import Testing

@testable import Freshet

@Suite("Flight table")
struct FlightTableTests {
    private typealias Table = FlightTable<String>
    private var table = Table()
    private var seats: SeatID = 0

    private func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }

    private mutating func join(
        _ want: FlightWant = .read,
        key: String = "k",
        parent: FlightID? = nil,
        at now: Int64 = 0
    ) -> JoinedFlight {
        seats += 1
        return table.join(key, want: want, seat: (seats, "w\(seats)", parent), at: at(now)).joined
    }

    /// Opens a flight that nobody waits for.
    private mutating func open() -> FlightID? {
        let (joined, _) = table.join("k", want: .read, seat: nil, at: at(0))
        guard case .opened(let id, .read) = joined else { return nil }
        return id
    }

    private func force(_ invalidation: Invalidation = .expire, since: Int64 = 0) -> FlightWant {
        .force(invalidation, unlessBegunSince: at(since))
    }

    @Test("readers share one flight")
    mutating func share() {
        #expect(join() == .opened(1, .read))
        #expect(join() == .joined(1, isCooldown: false))
        let landed = table.land(1, at: at(0))
        #expect(Set(landed.seats.map(\.waiter)) == ["w1", "w2"])
        #expect(landed.starts.isEmpty)
        #expect(join() == .opened(2, .read))
    }

    @Test("C1: a forced load that had to wait overtakes the load on schedule that runs when it begins")
    mutating func queuedForce() {
        #expect(join(force(), at: 0) == .opened(1, .force(.expire)))
        let aside = table.openAside("k", at: at(1))
        #expect(join(force(since: 5), at: 5) == .queued(3))
        #expect(table.isCurrent(aside))
        #expect(table.land(1, at: at(6)).starts == [.init(id: 3, purpose: .force(.expire))])
        #expect(!table.isCurrent(aside))
    }

    @Test("C2: what a load without a lease brings is not replaced by the load on schedule beside it")
    mutating func besideSchedule() {
        let aside = table.openAside("k", at: at(0))
        _ = table.begin(aside, under: Generation("g"), at: at(0))
        #expect(join() == .opened(2, .read))
        _ = table.begin(2, under: nil, at: at(1))
        table.giveUpAside(for: aside)
        #expect(table.isCurrent(aside))
        table.giveUpAside(for: 2)
        #expect(!table.isCurrent(aside))
        #expect(table.isCurrent(2))
    }

    @Test("C1: an invalidation overtakes the flight; who comes later opens a new one")
    mutating func overtaken() {
        #expect(join() == .opened(1, .read))
        #expect(table.isCurrent(1))
        #expect(table.invalidate("k", at: at(0)) == FlightTurn())
        #expect(!table.isCurrent(1))
        #expect(join() == .opened(2, .read))
        #expect(table.isCurrent(2))
        #expect(table.land(1, at: at(0)).seats.map(\.waiter) == ["w1"])
        #expect(table.isCurrent(2))
    }

    @Test("C1: a forced load that was overtaken before it began overtakes those that have begun, and no others")
    mutating func overtakenForce() {
        #expect(join(force()) == .opened(1, .force(.expire)))
        _ = table.invalidate("k", at: at(0))
        let aside = table.openAside("k", at: at(0))
        #expect(join() == .opened(3, .read))
        #expect(Set(table.beginForced(1, at: at(1)).waiting) == [3, aside])
        #expect(table.isCurrent(3) && table.isCurrent(aside))
        for id in [FlightID(3), aside] { _ = table.begin(id, under: Generation("g"), at: at(1)) }
        let (waiting, turn) = table.beginForced(1, at: at(2))
        #expect(waiting.isEmpty && turn == FlightTurn(abandoned: [aside]))
        #expect(!table.isCurrent(3) && !table.isCurrent(aside))
        #expect(join() == .queued(4), "two run")
        #expect(table.land(1, at: at(3)).starts == [.init(id: 4, purpose: .read)])
    }

    @Test("what is queued behind a flight that a forced load overtakes starts when one of the two has landed")
    mutating func queuedBehindOvertaken() {
        #expect(join(force()) == .opened(1, .force(.expire)))
        _ = table.invalidate("k", at: at(0))
        #expect(join(force(), at: 1) == .opened(2, .force(.expire)))
        _ = table.begin(2, under: Generation("g"), at: at(1))
        #expect(join(force(since: 2), at: 3) == .queued(3))
        let (waiting, turn) = table.beginForced(1, at: at(4))
        #expect(waiting == [3] && turn == FlightTurn())
        #expect(!table.isCurrent(2))
        #expect(table.land(2, at: at(5)).starts == [.init(id: 3, purpose: .force(.expire))])
    }

    @Test("C1: a flight keeps nothing that it asked the store for before a forced load began")
    mutating func askedBeforeForce() {
        let generation = Generation("g")
        #expect(join(force()) == .opened(1, .force(.expire)))
        _ = table.invalidate("k", at: at(0))
        #expect(join() == .opened(2, .read))
        _ = table.tell("k", generation, isInvalidation: true, at: at(1))
        table.forgetNews(2)
        _ = table.beginForced(1, at: at(2))
        #expect(table.hasNews(2) && table.isCurrent(2))
        #expect(!table.mayKeep(2, of: generation, checkedAt: at(1)))
        table.forgetNews(2)
        #expect(!table.mayKeep(2, of: generation, checkedAt: at(1)))
        #expect(table.mayKeep(2, of: generation, checkedAt: at(3)))
        _ = table.begin(2, under: generation, at: at(3))
        #expect(table.isCurrent(2) && table.mayKeep(2, of: generation))
    }

    @Test("no more than two flights of a key run; the third waits and is joined")
    mutating func bounded() {
        #expect(join() == .opened(1, .read))
        _ = table.invalidate("k", at: at(0))
        #expect(join() == .opened(2, .read))
        _ = table.invalidate("k", at: at(0))
        #expect(join() == .queued(3))
        #expect(join() == .joined(3, isCooldown: false))
        #expect(!table.isCurrent(3))
        #expect(table.land(1, at: at(7)).starts == [.init(id: 3, purpose: .read)])
        #expect(table.isCurrent(3))
    }

    @Test("C3: an overtaken flight that nobody waits for is abandoned, and makes room for others")
    mutating func overtakenForNobody() {
        #expect(open() == 1)
        #expect(table.invalidate("k", at: at(0)).abandoned == [1])
        #expect(open() == 2)
        _ = table.begin(2, under: Generation("g"), at: at(0))
        #expect(table.tell("k", Generation("h"), isInvalidation: true, at: at(0)).abandoned == [2])
        #expect(open() == 3)
        _ = table.tell("k", Generation("i"), isInvalidation: true, at: at(0))
        #expect(table.begin(3, under: Generation("i"), at: at(0)) == FlightTurn())
        let (joined, abandoned) = table.join("k", want: force(), seat: (1, "w1", nil), at: at(0))
        #expect(joined == .opened(4, .force(.expire)) && abandoned == [3])
        _ = table.begin(4, under: Generation("j"), at: at(0))
        #expect(table.invalidate("k", at: at(0)) == FlightTurn())
        #expect(open() == 5)
        #expect(table.waiters(of: "k") == 1)
    }

    @Test("C3: an overtaken flight is abandoned when its last waiter leaves, though it was to go on")
    mutating func overtakenAndLeft() {
        _ = table.join("k", want: .read, seat: (1, "w1", nil), goesOn: true, at: at(0))
        #expect(table.invalidate("k", at: at(0)) == FlightTurn())
        #expect(table.leave(1, at: at(0))?.abandoned == 1)
        _ = table.join("k", want: .read, seat: (2, "w2", nil), goesOn: true, at: at(0))
        #expect(table.leave(2, at: at(0))?.abandoned == nil)
    }

    @Test("C2: a fetcher that begins just as its flight is abandoned counts until it ends")
    mutating func abandonedAtBegin() {
        for id in [FlightID(1), 2] {
            #expect(open() == id)
            #expect(table.invalidate("k", at: at(0)).abandoned.contains(id))
            table.beginFetch(id)
        }
        #expect(!table.isFetchingAside("k"))
        #expect(join() == .queued(3))
        #expect(table.land(1, at: at(1)).starts.isEmpty)
        #expect(table.endFetch(1, at: at(2)) == [.init(id: 3, purpose: .read)])
    }

    @Test("C3: an overtaken load on schedule is abandoned; one that has yet to begin sees the change")
    mutating func overtakenAside() {
        let begun = table.openAside("k", at: at(0))
        _ = table.begin(begun, under: Generation("g"), at: at(0))
        #expect(table.invalidate("k", at: at(0)).abandoned == [begun])
        _ = table.land(begun, at: at(0))
        _ = table.openAside("k", at: at(0))
        #expect(table.invalidate("k", at: at(0)).abandoned.isEmpty)
    }

    @Test("C1: a flight that waits for its turn hears of what other processes change")
    mutating func toldInQueue() {
        for _ in 0..<2 {
            _ = join()
            _ = table.invalidate("k", at: at(0))
        }
        #expect(join() == .queued(3))
        #expect(table.isReadInQueue(3) && table.mayKeep(3, of: Generation("g")))
        #expect(table.tell("k", Generation("h"), isInvalidation: true, at: at(0)) == FlightTurn())
        #expect(!table.mayKeep(3, of: Generation("g")) && table.mayKeep(3, of: Generation("h")))
        _ = table.land(1, at: at(0))
        #expect(table.isCurrent(3) && !table.isReadInQueue(3))
    }

    @Test("a forced refresh overtakes an ordinary load, and waits behind a forced one that began too early")
    mutating func forced() {
        #expect(join() == .opened(1, .read))
        #expect(join(force(), at: 10) == .opened(2, .force(.expire)))
        #expect(!table.isCurrent(1))
        #expect(join(force(since: 9), at: 14) == .joined(2, isCooldown: true))
        #expect(join(force(since: 11), at: 16) == .queued(3))
        #expect(join(force(.remove, since: 12), at: 17) == .joined(3, isCooldown: false))
        #expect(join(at: 17) == .joined(2, isCooldown: false), "readers take the load that runs")
        #expect(table.land(2, at: at(18)).starts == [.init(id: 3, purpose: .force(.remove))])
        #expect(
            join(force(since: 18), at: 20) == .joined(3, isCooldown: true),
            "its age counts from when it began to run"
        )
    }

    @Test("a forced refresh joins a forced load that has yet to begin, however long that waits, if it is as hard")
    mutating func forcedBeforeBegin() {
        table = Table(hasLeases: true)
        #expect(join(force()) == .opened(1, .force(.expire)))
        #expect(join(force(since: 8), at: 9) == .joined(1, isCooldown: false))
        #expect(join(force(.remove, since: 8), at: 9) == .queued(2))
        for instant in [7, 8] as [Int64] {
            let isAnswered = table.antedate(1, to: at(instant))
            #expect(isAnswered == (instant == 8), "who came last is not answered by what began before 8")
        }
        #expect(join(force(since: 9), at: 10) == .joined(2, isCooldown: false))
        let since = table.askToForce(1, at: at(10))
        #expect(since == at(8))
        #expect(join(force(since: 11), at: 11) == .joined(2, isCooldown: false), "the lease may be from before")
        #expect(join(force(since: 10), at: 11) == .joined(1, isCooldown: true))
        table.waitToForce(1)
        #expect(join(force(since: 11), at: 11) == .joined(1, isCooldown: false))
        _ = table.beginForced(1, at: at(11))
        #expect(join(force(since: 9), at: 11) == .joined(1, isCooldown: true))
        #expect(table.land(1, at: at(12)).starts == [.init(id: 2, purpose: .force(.remove))])
        #expect(join(force(since: 13), at: 14) == .joined(2, isCooldown: false), "nor has this begun")
        table.giveUpForcing(2)
        #expect(join(force(since: 13), at: 14) == .queued(3), "this ends without a load")
    }

    @Test("C3: a flight is given up when the last of its waiters has left, and only then")
    mutating func leaving() {
        #expect(join() == .opened(1, .read))
        #expect(join() == .joined(1, isCooldown: false))
        #expect(table.leave(1, at: at(0))?.abandoned == nil)
        #expect(table.isCurrent(1))
        #expect(table.leave(2, at: at(0))?.abandoned == 1)
        #expect(!table.isCurrent(1))
        #expect(table.leave(2, at: at(0)) == nil)
        #expect(join() == .opened(2, .read), "nobody joins a flight that was given up")
    }

    @Test("C3: nobody waits for the turn of flights that have been given up")
    mutating func turns() {
        #expect(join() == .opened(1, .read))
        #expect(table.leave(1, at: at(0))?.abandoned == 1)
        #expect(join() == .opened(2, .read))
        _ = table.invalidate("k", at: at(0))
        #expect(join() == .opened(3, .read))
        _ = table.invalidate("k", at: at(0))
        #expect(join() == .queued(4))
        #expect(table.leave(2, at: at(0))?.starts == [.init(id: 4, purpose: .read)])
        for id in [FlightID(1), 2, 3] { #expect(table.land(id, at: at(0)).starts.isEmpty) }
        #expect(table.isCurrent(4))
    }

    @Test("a background flight goes on with nobody waiting")
    mutating func background() {
        #expect(open() == 1)
        #expect(join() == .joined(1, isCooldown: false))
        #expect(table.leave(1, at: at(0))?.abandoned == nil)
        #expect(table.isCurrent(1))
    }

    @Test("readers are answered early; those who want more go on waiting")
    mutating func early() {
        _ = join()
        _ = join(.younger(at(5)))
        _ = join(.younger(at(4)))
        #expect(table.wantsMore(1, thanLoadedAt: at(4), isFresh: true))
        #expect(!table.wantsMore(1, thanLoadedAt: at(5), isFresh: true))
        #expect(Set(table.answerReaders(1, loadedAt: at(4), isFresh: true, at: at(5)).waiters) == ["w1", "w3"])
        #expect(table.land(1, at: at(0)).seats.map(\.waiter) == ["w2"])
    }

    @Test("what readers were answered during goes on though those who want more leave")
    mutating func earlyAndLeft() {
        _ = join()
        _ = join(.younger(at(5)))
        #expect(table.answerReaders(1, loadedAt: at(4), isFresh: true, at: at(5)).waiters == ["w1"])
        #expect(table.leave(2, at: at(0))?.abandoned == nil)
        #expect(table.isCurrent(1))
    }

    @Test("a flight that was overtaken is given up once its last readers are answered")
    mutating func earlyAndOvertaken() {
        _ = join()
        _ = join(.younger(at(5)))
        _ = table.invalidate("k", at: at(5))
        #expect(table.answerReaders(1, loadedAt: at(4), isFresh: true, at: at(6)).turn == .init())
        let (waiters, turn) = table.answerReaders(1, loadedAt: at(5), isFresh: true, at: at(6))
        #expect((waiters, turn) == (["w2"], .init(abandoned: [1])))
    }

    @Test("a flight is not kept for readers that there are none of")
    mutating func nobodyEarly() {
        _ = join(force())
        #expect(table.answerReaders(1, loadedAt: at(0), isFresh: true, at: at(0)).waiters.isEmpty)
        #expect(table.leave(1, at: at(0))?.abandoned == 1)
    }

    @Test(
        "however many changes other processes tell of while a lease is waited for, little of it is kept",
        arguments: [0, 1, 9]
    )
    mutating func told(invalidationsAfterLease count: Int) {
        _ = join()
        for number in 0..<10_000 {
            _ = table.tell("k", Generation("g\(number / 2)"), isInvalidation: number.isMultiple(of: 2), at: at(0))
        }
        var text = ""
        dump(table, to: &text)
        #expect(text.utf8.count < 10_000)
        _ = table.begin(1, under: Generation("g\(4999 - count)"), at: at(0))
        #expect(table.isCurrent(1) == (count == 0))
        _ = table.tell("k", Generation("later"), isInvalidation: true, at: at(0))
        #expect(!table.isCurrent(1))
    }

    @Test("a queued flight that nobody waits for any more does not start")
    mutating func queueLeft() {
        _ = join(force())
        #expect(join(force(since: 1), at: 5) == .queued(2))
        #expect(table.leave(2, at: at(5))?.abandoned == 2)
        #expect(table.land(1, at: at(6)).starts.isEmpty)
        #expect(!table.contains(2))
    }

    @Test("C3: a load that waits for itself is found out, directly and around a circle")
    mutating func circles() {
        #expect(join(key: "a") == .opened(1, .read))
        #expect(join(key: "a", parent: 1) == .circular)
        #expect(join(key: "b") == .opened(2, .read))
        #expect(join(key: "c", parent: 2) == .opened(3, .read))
        #expect(join(key: "a", parent: 3) == .joined(1, isCooldown: false))
        #expect(join(key: "b", parent: 1) == .circular, "b waits for c, c waits for a")
        _ = table.leave(5, at: at(0))
        #expect(join(key: "b", parent: 1) == .joined(2, isCooldown: false), "c has stopped waiting for a")
    }

    @Test("C3: a load that waits for a flight queued behind itself is found out")
    mutating func queuedCircle() {
        #expect(join(force()) == .opened(1, .force(.expire)))
        #expect(join(force(since: 1), parent: 1, at: 5) == .circular)
        #expect(table.land(1, at: at(6)).starts.isEmpty)
        #expect(join(at: 6) == .opened(2, .read), "nothing was queued for it")
    }

    @Test("C3: a load that waits for itself leaves the key's flights as they were")
    mutating func circleLeavesNothing() {
        #expect(join() == .opened(1, .read))
        #expect(join(key: "other", parent: 1) == .opened(2, .read))
        #expect(join(force(), parent: 2) == .opened(3, .force(.expire)), "a forced load waits for nobody")
        _ = table.invalidate("k", at: at(0))
        #expect(join(force(.remove), parent: 2) == .circular, "two run, and one of them waits for this")
        #expect(join() == .queued(4))
        #expect(table.land(3, at: at(1)).starts == [.init(id: 4, purpose: .read)], "nor has it been hardened")
        table = Table(hasLeases: true)
        let aside = table.openAside("k", at: at(0))
        #expect(join(parent: aside) == .circular)
        #expect(join() == .opened(2, .read))
    }

    @Test("C3: a load that waits for a flight which waits for its lease is found out")
    mutating func leasedCircle() {
        table = Table(hasLeases: true)
        _ = join()
        _ = table.begin(1, under: Generation("g"), at: at(0))
        #expect(join(force(), parent: 1) == .circular, "it may be cooling down")
        #expect(join(force()) == .opened(2, .force(.expire)))
        _ = table.land(2, at: at(1))
        #expect(join() == .opened(3, .read))
        #expect(join(key: "b", parent: 1) == .opened(4, .read))
        #expect(join(parent: 4) == .circular, "the forced one may have cooled down")
        _ = table.begin(3, under: Generation("g"), at: at(1))
        #expect(join(parent: 4) == .joined(3, isCooldown: false), "it has a lease of its own")
    }

    @Test("C3: a load that waits for a flight which waits for the lease of an overtaken load on schedule is found out")
    mutating func leasedCircleAside() {
        table = Table(hasLeases: true)
        let aside = table.openAside("k", at: at(0))
        _ = table.begin(aside, under: Generation("g"), at: at(0))
        #expect(join(force()) == .opened(2, .force(.expire)))
        _ = table.land(2, at: at(1))
        #expect(!table.isCurrent(aside))
        #expect(join() == .opened(3, .read))
        #expect(table.ahead(of: 3) == [aside])
        #expect(join(key: "b", parent: aside) == .opened(4, .read))
        #expect(join(parent: 4) == .circular)
        _ = table.begin(3, under: Generation("h"), at: at(1))
        #expect(join(key: "c") == .opened(5, .read))
        #expect(join(parent: 5) == .joined(3, isCooldown: false))
        #expect(join(key: "c", parent: aside) == .joined(5, isCooldown: false), "3 has a lease of its own")
        _ = table.land(aside, at: at(1))
        #expect(table.ahead(of: 3).isEmpty)
        #expect(join(parent: 4) == .joined(3, isCooldown: false))
    }

    @Test("C1: a load that began without a lease is overtaken by any invalidation told of since")
    mutating func withoutLease() {
        _ = join()
        _ = table.tell("k", Generation("g1"), isInvalidation: true, at: at(0))
        _ = table.begin(1, under: nil, at: at(0))
        #expect(table.isCurrent(1), "it began after the invalidation")
        _ = table.tell("k", Generation("g2"), isInvalidation: false, at: at(0))
        #expect(table.isCurrent(1))
        _ = table.tell("k", Generation("g3"), isInvalidation: true, at: at(0))
        #expect(!table.isCurrent(1))
        #expect(join() == .opened(2, .read))
    }

    @Test("nothing is left of a key when its flights have landed")
    mutating func tidy() {
        _ = join()
        _ = table.invalidate("k", at: at(0))
        _ = join(force())
        #expect(table.isLoading("k"))
        _ = table.land(1, at: at(0))
        _ = table.land(2, at: at(0))
        #expect(!table.isLoading("k"))
        #expect(!table.contains(1) && !table.contains(2))
    }
}
