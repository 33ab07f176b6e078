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

    @Test("what is said again is new once it is said anew, and softens nothing")
    func repeated() {
        var pending = PendingInvalidations()
        pending.add(.remove, of: "a", isRepeated: true)
        #expect((pending.newCount, pending.isEmpty) == (0, false))
        pending.add(.expire, of: "a")
        #expect(pending.ticket(for: "a")?.isRepeated == false)
        #expect(pending.ticket(for: "a")?.invalidation == .remove)
        pending.add(.expire, of: "a", isRepeated: true)
        #expect(pending.newCount == 1)
    }

    @Test("what came while one was being sent is still to be sent")
    func settle() throws {
        var pending = PendingInvalidations()
        pending.add(.expire, of: "a")
        let sent = try #require(pending.ticket(for: "a"))
        pending.add(.expire, of: "a")
        pending.settle(sent)
        #expect(pending.keys == ["a"])
        pending.settle(try #require(pending.ticket(for: "a")))
        #expect(pending.keys.isEmpty)
    }
}
