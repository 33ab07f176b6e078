import NIOCore
import RESP
import Testing

@testable import UpstashClient

@Suite struct FootprintTests {
    private func depend(_ one: RESPCommand, on earlier: RESPCommand) -> Bool {
        var footprints = (Footprint(), Footprint())
        footprints.0.insert(one)
        footprints.1.insert(earlier)
        let result = footprints.0.depends(on: footprints.1)
        var claims = Claims()
        claims.insert(footprints.1, at: 1)
        claims.insert(footprints.0, at: 2)
        #expect((claims.blocker(of: 2) == 1) == result)
        #expect(claims.blocker(of: 1) == nil)
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
        (RESPCommand("PUBLISH", "c", "l"), RESPCommand("PUBLISH", "c", "m")),
        (RESPCommand("SET", "w_1", "v"), RESPCommand("SORT_RO", "k", "BY", "w_*")),
        (RESPCommand("JSON.SET", "k", "$", "1"), RESPCommand("JSON.GET", "k")),
        (RESPCommand("JSON.MSET", "a", "$", "1", "b", "$", "1"), RESPCommand("JSON.GET", "b")),
        (RESPCommand("SEARCH.CREATE", "i"), RESPCommand("GET", "k")),
        (RESPCommand("UNHEARDOF", "k"), RESPCommand("GET", "k")),
    ])
    func dependOnTheirOrder(one: RESPCommand, other: RESPCommand) {
        #expect(depend(one, on: other) && depend(other, on: one))
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
        #expect(!depend(one, on: other) && !depend(other, on: one))
    }

    @Test("a message comes after all earlier writes, and no later one waits for it")
    func followWhatWasWritten() {
        let message = RESPCommand("PUBLISH", "c", "m")
        for write in [RESPCommand("SET", "k", "v"), RESPCommand("FLUSHDB")] {
            #expect(depend(message, on: write) && !depend(write, on: message))
        }
        #expect(!depend(message, on: RESPCommand("KEYS", "*")) && !depend(RESPCommand("KEYS", "*"), on: message))
        // With what else is asked for at once it is a whole.
        var (whole, write) = (Footprint(), Footprint())
        whole.insert([message, RESPCommand("SET", "a", "v")])
        write.insert(RESPCommand("SET", "b", "v"))
        #expect(whole.depends(on: write) && !write.depends(on: whole))
        write.insert(RESPCommand("GET", "a"))
        #expect(write.depends(on: whole))
    }

    @Test func addsUp() {
        var one = Footprint()
        var other = Footprint()
        one.insert([RESPCommand("GET", "a"), RESPCommand("GET", "b")])
        other.insert([RESPCommand("GET", "b")])
        #expect(!one.depends(on: other))
        var write = Footprint()
        write.insert(RESPCommand("SET", "b", "v"))
        other.formUnion(write)
        #expect(one.depends(on: other) && other.depends(on: one))
        #expect(!Footprint().depends(on: other) && !other.depends(on: Footprint()))
    }
}
