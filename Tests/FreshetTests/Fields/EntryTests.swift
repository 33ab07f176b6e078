import NIOCore
import Testing

@testable import Freshet

@Suite("Entry")
struct EntryTests {
    @Test("an older value of the same generation replaces no newer one")
    func latest() throws {
        let field = Field("f", ttl: .seconds(60)) { "x" }.erased
        func entry(_ text: String, loadedAt seconds: Int64, _ generation: String = "g") throws -> Entry {
            let askedAt = MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
            let snapshot = EntrySnapshot(
                content: .value(ByteBuffer(string: "\"\(text)\"")),
                generation: Generation(generation),
                freshFor: .seconds(60)
            )
            return try #require(try Entry.from(snapshot, of: field, held: nil, askedAt: askedAt))
        }
        let held = try entry("v2", loadedAt: 20)
        #expect(held.replaces(try entry("v1", loadedAt: 10)))
        #expect(!held.replaces(try entry("v3", loadedAt: 30)))
        #expect(!held.replaces(try entry("v1", loadedAt: 10, "other")))
        #expect(!held.replaces(try entry("v2", loadedAt: 10)), "the same, checked anew")
    }

    @Test("the store's stale value gives way to what was loaded since, if it is older however long its answer took")
    func successor() throws {
        func at(_ seconds: Double) -> MonotonicInstant { MonotonicInstant(nanoseconds: 0) + .seconds(seconds) }
        func json(_ text: String) -> ByteBuffer { ByteBuffer(string: "\"\(text)\"") }
        let snapshot = EntrySnapshot(content: .value(json("v1")), age: .seconds(5), staleFor: .seconds(60))
        let field = Field("f", ttl: .seconds(60)) { "x" }.erased
        let stored = try #require(try Entry.from(snapshot, of: field, held: nil, askedAt: at(14)))
        let own = Entry(
            payload: Payload(bytes: json("v2"), digest: json("v2").sha1),
            generation: nil,
            sourceETag: nil,
            loadedAt: at(11),
            freshUntil: at(71),
            staleUntil: at(71),
            checkedAt: at(10),
            begunAt: at(10)
        )
        #expect(own.successor(of: stored, in: Generation("g"), askedAt: at(14), now: at(14.9)) != nil)
        #expect(own.successor(of: stored, in: Generation("g"), askedAt: at(14), now: at(15)) == nil)
    }
}
