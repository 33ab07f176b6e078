import NIOCore
import Testing

@testable import RedisClient

/// When a client looks at which server its address leads to, and what it makes of that.
@Suite struct ServerDoubtTests {
    private let begun = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var time: NIODeadline { begun + .seconds(1) }
    private let pause = Duration.milliseconds(100)
    private let same = ServerDoubt.Answers(found: .told("a"), own: .told("a"))
    private let other = ServerDoubt.Answers(found: .told("b"), own: .told("a"))

    private func doubt(_ reason: ServerDoubt.Reason) -> ServerDoubt {
        var doubt = ServerDoubt(pauses: pause...pause)
        doubt.add(reason)
        return doubt
    }

    @Test func onlyAnOlderConnectionIsDoubted() throws {
        for doubt in [doubt(.loss(time)), doubt(.start(time))] {
            #expect(try #require(doubt.nextLook(at: begun)) <= time)
            #expect(doubt.nextLook(at: time) == nil)
            #expect(doubt.nextLook(at: nil) == nil)
        }
    }

    @Test func whereNobodyCouldBeAskedItLooksAgain() throws {
        var lost = doubt(.loss(time))
        #expect(lost.isNew)
        for _ in 0..<10 {
            #expect(lost.hear(nil, askedAt: time, of: begun, now: time) == false)
            #expect(try #require(lost.nextLook(at: begun)) - time <= .milliseconds(100))
        }
        #expect(!lost.isNew)
        var started = doubt(.start(time))
        var pauses: [TimeAmount] = []
        for _ in 0..<10 {
            #expect(started.hear(nil, askedAt: time, of: begun, now: time) == false)
            pauses.append(try #require(started.nextLook(at: begun)) - time)
        }
        #expect(pauses[0] <= .seconds(1))
        #expect(pauses.dropFirst(6).allSatisfy { $0 >= .seconds(30) && $0 <= .seconds(60) })
    }

    @Test func looksForNewConnectionsKeepTheirDistance() throws {
        var doubt = doubt(.start(time))
        #expect(doubt.hear(same, askedAt: time, of: begun, now: time) == false)
        #expect(doubt.nextLook(at: begun) == nil)
        doubt.add(.start(time + .milliseconds(1)))
        let next = try #require(doubt.nextLook(at: begun))
        #expect(next >= time + .milliseconds(500) && next <= time + .seconds(1))
        // Not that for a loss.
        doubt.add(.loss(time + .milliseconds(2)))
        #expect(try #require(doubt.nextLook(at: begun)) <= time)
    }

    @Test func aLookFromBeforeTheSharedConnectionSaysNothing() {
        let began = time + .seconds(1)
        for var doubt in [doubt(.loss(began + .seconds(1))), doubt(.start(began + .seconds(1)))] {
            for answers in [same, other] {
                #expect(doubt.hear(answers, askedAt: time, of: began, now: began + .seconds(2)) == false)
                #expect(doubt.nextLook(at: began) != nil)
            }
        }
    }

    /// It may lead to another server than the look did.
    @Test func aConnectionThatCameDuringALookIsLookedInto() {
        var doubt = doubt(.start(time))
        doubt.add(.start(time + .milliseconds(1)))
        #expect(doubt.hear(same, askedAt: time, of: begun, now: time + .milliseconds(2)) == false)
        #expect(doubt.nextLook(at: begun) != nil)
    }

    @Test(arguments: [ServerDoubt.Identity.untold, .busy])
    func whatIsNotToldCountsAsAnotherBehindALossOnly(identity: ServerDoubt.Identity) {
        let answers = ServerDoubt.Answers(found: .told("a"), own: identity)
        var started = doubt(.start(time))
        #expect(started.hear(answers, askedAt: time, of: begun, now: time) == false)
        var lost = doubt(.loss(time))
        #expect(lost.hear(answers, askedAt: time, of: begun, now: time) == true)
        #expect(lost.nextLook(at: begun) == nil)
    }

    @Test func aServerThatDoesNotTellIsAskedOnceForNewConnections() {
        var doubt = doubt(.start(time))
        _ = doubt.hear(.init(found: .untold, own: .untold), askedAt: time, of: begun, now: time)
        doubt.add(.start(time + .hours(1)))
        #expect(doubt.nextLook(at: begun) == nil)
        doubt.add(.loss(time + .hours(1)))
        #expect(doubt.nextLook(at: begun) != nil)
    }

    @Test func anAddressOfManyServersIsFollowedLessAndLess() {
        var doubt = ServerDoubt(pauses: pause...pause)
        var moves = 0
        for second in 0..<7200 {
            let now = time + .seconds(Int64(second))
            doubt.add(.start(now))
            guard let due = doubt.nextLook(at: begun), due <= now else { continue }
            if doubt.hear(other, askedAt: now, of: begun, now: now) { moves += 1 }
        }
        #expect((2...20).contains(moves))
    }
}
