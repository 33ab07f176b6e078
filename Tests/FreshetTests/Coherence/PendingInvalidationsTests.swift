import Testing

@testable import Freshet

@Suite("Pending invalidations")
struct PendingInvalidationsTests {
    @Test("one a key; the last wins, but nothing softens a removal")
    func merge() {
        var pending = PendingInvalidations()
        pending.add(.expire, of: "a")
        pending.add(.remove, of: "a")
        pending.add(.expire, of: "a")
        pending.add(.expire, of: "b")
        #expect(pending.newCount == 2)
        #expect(pending.ticket(for: "a")?.invalidation == .remove)
        #expect(pending.ticket(for: "b")?.invalidation == .expire)
    }

    @Test("a removal for a load's sake is bound to its lease until the key is invalidated otherwise")
    func bound() {
        var pending = PendingInvalidations()
        let lease = Lease(token: "t", generation: Generation("g"), digest: "")
        pending.add(.remove, of: "a", under: lease)
        #expect(pending.ticket(for: "a")?.lease == lease)
        pending.add(.expire, of: "a")
        pending.add(.remove, of: "a", under: lease)
        #expect(pending.ticket(for: "a")?.lease == nil)
    }

    @Test("what is said again is new once it is said anew, and nothing softens a removal")
    func repeated() {
        var pending = PendingInvalidations()
        pending.addAgain(.remove, of: "a", nil)
        #expect((pending.newCount, pending.isEmpty) == (0, false))
        pending.add(.expire, of: "a")
        #expect(pending.ticket(for: "a")?.isRepeated == false)
        #expect(pending.ticket(for: "a")?.invalidation == .remove)
        pending.addAgain(.expire, of: "a", nil)
        #expect(pending.newCount == 1)
    }

    @Test("what is to be said does for what would be said again, unless that is a removal")
    func unneeded() throws {
        var pending = PendingInvalidations()
        pending.add(.expire, of: "a")
        let sent = try #require(pending.ticket(for: "a"))
        pending.addAgain(.expire, of: "a", Generation("g"))
        #expect(pending.ticket(for: "a")?.number == sent.number)
        pending.addAgain(.remove, of: "a", Generation("g"))
        let stronger = pending.ticket(for: "a")
        #expect((stronger?.invalidation, stronger?.isRepeated, stronger?.generation) == (.remove, false, nil))
    }

    @Test(
        "a removal for a load's sake does not do for what would be said again",
        arguments: [.expire, .remove] as [Invalidation]
    )
    func boundIsNotEnough(invalidation: Invalidation) {
        var pending = PendingInvalidations()
        pending.add(.remove, of: "a", under: Lease(token: "t", generation: Generation("g"), digest: ""))
        pending.addAgain(invalidation, of: "a", nil)
        let ticket = pending.ticket(for: "a")
        #expect((ticket?.invalidation, ticket?.lease == nil, ticket?.isRepeated) == (.remove, true, false))
    }

    @Test("the generation of a later expiry does not tell whether a removal is lost")
    func removalBeforeExpiry() {
        var pending = PendingInvalidations()
        pending.addAgain(.remove, of: "a", nil)
        pending.addAgain(.expire, of: "a", Generation("g"))
        #expect(pending.ticket(for: "a")?.generation == nil)
        pending.addAgain(.expire, of: "b", nil)
        pending.addAgain(.expire, of: "b", Generation("g"))
        #expect(pending.ticket(for: "b")?.generation == Generation("g"))
    }

    @Test("what others have sent is as the last of it left the key; with what this process has sent it is not known")
    func ofOthers() throws {
        var pending = PendingInvalidations()
        pending.addAgain(.remove, of: "a", Generation("1"), isOthers: true)
        pending.addAgain(.expire, of: "a", Generation("2"), isOthers: true)
        let theirs = try #require(pending.ticket(for: "a"))
        #expect((theirs.invalidation, theirs.generation, theirs.isOthers) == (.remove, Generation("2"), true))
        #expect(theirs.isKept(by: nil))
        #expect(theirs.isKept(by: EntryRead.Known(generation: Generation("2"), digest: "")))
        #expect(!theirs.isKept(by: EntryRead.Known(generation: Generation("1"), digest: "")))
        pending.addAgain(.expire, of: "a", nil)
        #expect(pending.ticket(for: "a")?.isComparable == false)
        pending.addAgain(.expire, of: "a", Generation("3"), isOthers: true)
        #expect(pending.ticket(for: "a")?.isComparable == false)
    }

    @Test("what came while one was being sent is still to be sent")
    func settle() throws {
        var pending = PendingInvalidations()
        pending.add(.expire, of: "a")
        let sent = try #require(pending.ticket(for: "a"))
        pending.add(.expire, of: "a")
        pending.settle(sent)
        #expect(pending.keys(isRepeated: false) == ["a"])
        pending.settle(try #require(pending.ticket(for: "a")))
        #expect(pending.isEmpty)
    }
}
