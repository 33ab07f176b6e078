import NIOCore
import RESP
import Testing

@testable import UpstashClient

@Suite struct FootprintTests {
    private func depend(_ one: RESPCommand, _ other: RESPCommand) -> Bool {
        var footprints = (Footprint(), Footprint())
        footprints.0.insert(one)
        footprints.1.insert(other)
        let result = footprints.0.conflicts(with: footprints.1)
        #expect(footprints.1.conflicts(with: footprints.0) == result)
        return result
    }

    @Test(arguments: [
        (RESPCommand("SET", "k", "v"), RESPCommand("GET", "k")),
        (RESPCommand("SET", "k", "v"), RESPCommand("set", "k", "w")),
        (RESPCommand("SET", "7", "v"), RESPCommand("GET", 7)),
        (RESPCommand("SET", ByteBuffer(string: "k"), "v"), RESPCommand("GET", "k")),
        (RESPCommand("MSET", "a", "1", "b", "2"), RESPCommand("MGET", "c", "b")),
        (RESPCommand("EVALSHA", "d", 2, "a", "b", "c"), RESPCommand("GET", "b")),
        (RESPCommand("EVAL", "return 1", 0), RESPCommand("GET", "k")),
        (RESPCommand("RENAME", "a", "b"), RESPCommand("GET", "b")),
        (RESPCommand("FLUSHDB"), RESPCommand("GET", "k")),
        (RESPCommand("SCRIPT", "FLUSH"), RESPCommand("GET", "k")),
        (RESPCommand("SET", "k", "v"), RESPCommand("KEYS", "*")),
        (RESPCommand("SET", "k", "v"), RESPCommand("SCAN", 0)),
        (RESPCommand("SET", "k", "v"), RESPCommand("PUBLISH", "c", "m")),
        (RESPCommand("PUBLISH", "c", "l"), RESPCommand("PUBLISH", "c", "m")),
        (RESPCommand("SET", "w_1", "v"), RESPCommand("SORT_RO", "k", "BY", "w_*")),
        (RESPCommand("JSON.SET", "k", "$", "1"), RESPCommand("JSON.GET", "k")),
        (RESPCommand("JSON.MSET", "a", "$", "1", "b", "$", "1"), RESPCommand("JSON.GET", "b")),
        (RESPCommand("SEARCH.CREATE", "i"), RESPCommand("GET", "k")),
        (RESPCommand("UNHEARDOF", "k"), RESPCommand("GET", "k")),
    ])
    func dependOnTheirOrder(one: RESPCommand, other: RESPCommand) {
        #expect(depend(one, other))
    }

    @Test(arguments: [
        (RESPCommand("GET", "k"), RESPCommand("GET", "k")),
        (RESPCommand("SET", "a", "v"), RESPCommand("GET", "b")),
        (RESPCommand("SET", "a", "b"), RESPCommand("GET", "b")),
        (RESPCommand("EVALSHA", "d", 1, "a", "b"), RESPCommand("SET", "b", "v")),
        (RESPCommand("FLUSHDB"), RESPCommand("PING")),
        (RESPCommand("FLUSHDB"), RESPCommand("script", "load", "return 1")),
        (RESPCommand("KEYS", "*"), RESPCommand("GET", "k")),
        (RESPCommand("PUBLISH", "c", "m"), RESPCommand("GET", "c")),
        (RESPCommand("PUBLISH", "c", "m"), RESPCommand("PUBLISH", "d", "m")),
        (RESPCommand("JSON.SET", "a", "$", "1"), RESPCommand("JSON.GET", "b")),
    ])
    func mayBeRunInAnyOrder(one: RESPCommand, other: RESPCommand) {
        #expect(!depend(one, other))
    }

    @Test func addsUp() {
        var one = Footprint()
        var other = Footprint()
        one.insert([RESPCommand("GET", "a"), RESPCommand("GET", "b")])
        other.insert([RESPCommand("GET", "b")])
        #expect(!one.conflicts(with: other))
        var write = Footprint()
        write.insert(RESPCommand("SET", "b", "v"))
        other.formUnion(write)
        #expect(one.conflicts(with: other) && other.conflicts(with: one))
        #expect(!Footprint().conflicts(with: other) && !other.conflicts(with: Footprint()))
    }
}
