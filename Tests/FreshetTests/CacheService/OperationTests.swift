import Foundation
import Freshet
import FreshetTesting
import NIOCore
import Testing

@Suite struct OperationTests {
    struct Agent: Codable, Hashable, Sendable {
        var id: String
        var name: String?
        var since: Date
        var url: URL
    }

    let agent: Agent

    init() throws {
        agent = Agent(
            id: "rec1",
            name: "Íñigo",
            since: Date(timeIntervalSince1970: 1_700_000_000),
            url: try #require(URL(string: "https://example.com/a/b"))
        )
    }

    @Test func valuesComeBackAsTheyWentIn() async throws {
        let cache = try await CacheBench.ready().cache
        #expect(try await cache.set("agent", agent) == .stored)
        #expect(try await cache.get("agent") == agent)
        #expect(try await cache.strict.get("agent") == agent)
        try await cache.set("text", "plain")
        #expect(try await cache.get("text") == "plain")
        try await cache.set("list", [1, 2, 3])
        #expect(try await cache.get("list") == [1, 2, 3])
        #expect(try await cache.get("nothing", as: Int.self) == nil)
        #expect(try await cache.strict.get("nothing", as: Int.self) == nil)
    }

    @Test func whatIsStoredIsPlainJSON() async throws {
        let bench = try await CacheBench.ready()
        try await bench.cache.set("agent", agent)
        let text = #"{"id":"rec1","name":"Íñigo","since":"2023-11-14T22:13:20Z","url":"https://example.com/a/b"}"#
        #expect(try await bench.text("agent") == text)
        try await bench.cache.set("text", "a \"b\"")
        #expect(try await bench.text("text") == #""a \"b\"""#)
    }

    @Test func asStringAnythingButAJSONStringIsItsText() async throws {
        let bench = try await CacheBench.ready()
        for (stored, read) in [
            ("{\"a\":1}", "{\"a\":1}"), ("12", "12"), ("not json", "not json"), ("\"json\"", "json"),
            ("\u{FEFF}\"json\"", "json"), (#""cut\ud83d""#, "cut\u{FFFD}"), ("5\0", "5\0"),
        ] {
            _ = try await bench.memory.set("k", .init(string: stored), options: CacheOptions())
            #expect(try await bench.cache.get("k") == read)
            _ = try await bench.memory.hset("h", ["f": .init(string: stored)])
            #expect(try await bench.cache.hget("h", "f") == read)
        }
        _ = try await bench.memory.set("k", .init(bytes: [0xFF, 0xFE]), options: CacheOptions())
        #expect(try await bench.cache.get("k", as: String.self) == nil)
        // 53 as two bytes, not a 5 in UTF-16.
        _ = try await bench.memory.set("k", .init(bytes: [0x35, 0]), options: CacheOptions())
        #expect(try await bench.cache.get("k", as: Int.self) == nil)
    }

    @Test func conditionsAndExpiry() async throws {
        let bench = try await CacheBench.ready()
        let cache = bench.cache
        #expect(try await cache.set("k", 1, xx: true) == .refused)
        #expect(try await cache.set("k", 1, ex: 10, nx: true) == .stored)
        #expect(try await cache.set("k", 2, nx: true) == .refused)
        #expect(try await cache.strict.set("k", 2, nx: true) == .refused)
        #expect(try await cache.get("k") == 1)
        #expect(try await cache.set("k", 3, keepTTL: true) == .stored)
        #expect(try await cache.ttl("k") == 10)
        #expect(try await cache.set("k", 4, xx: true) == .stored)
        #expect(try await cache.ttl("k") == -1)
        try await cache.set("k", 5, px: 1500)
        await bench.spawner.advance(by: .milliseconds(1499))
        #expect(try await cache.get("k") == 5)
        await bench.spawner.advance(by: .milliseconds(1))
        #expect(try await cache.get("k", as: Int.self) == nil)
        #expect(await code { try await cache.set("k", 1, ex: 1, px: 1) } == .invalidArgument)
        #expect(await code { try await cache.set("k", 1, ex: 0) } == .invalidArgument)
        #expect(await code { try await cache.set("k", 1, nx: true, xx: true) } == .invalidArgument)
    }

    @Test func timeToLiveInRedisWords() async throws {
        let bench = try await CacheBench.ready()
        let cache = bench.cache
        #expect(try await cache.ttl("k") == -2)
        try await cache.set("k", 1)
        #expect(try await cache.ttl("k") == -1)
        #expect(try await cache.expire("k", seconds: 60))
        #expect(try await cache.ttl("k") == 60)
        await bench.spawner.advance(by: .milliseconds(400))
        #expect(try await cache.ttl("k") == 60)
        await bench.spawner.advance(by: .milliseconds(200))
        #expect(try await cache.ttl("k") == 59)
        #expect(try await cache.expire("k", seconds: 0))
        #expect(try await !cache.exists("k"))
        #expect(try await !cache.expire("k", after: .seconds(1)))
    }

    @Test func keys() async throws {
        let cache = try await CacheBench.ready().cache
        for key in ["a", "b", "c"] { try await cache.set(key, key) }
        #expect(try await cache.exists("a"))
        #expect(try await cache.mget(["c", "x", "a"]) == ["c", nil, "a"])
        #expect(try await cache.strict.mget(["c", "x", "a"]) == ["c", nil, "a"])
        #expect(try await cache.del("a", "b", "x") == 2)
        #expect(try await cache.del([]) == 0)
        #expect(try await cache.mget([], as: Int.self).isEmpty)
        #expect(try await !cache.exists("a"))
    }

    @Test func counting() async throws {
        let cache = try await CacheBench.ready().cache
        #expect(try await cache.incr("n") == 1)
        #expect(try await cache.incr("n", by: 41) == 42)
        #expect(try await cache.incr("n", by: -2) == 40)
        #expect(try await cache.get("n") == 40)
        #expect(try await cache.get("n") == "40")
        try await cache.set("t", "text")
        #expect(try await cache.incr("t") == 0)
        #expect(await code { try await cache.strict.incr("t") } == .storeRejected)
    }

    @Test func hashes() async throws {
        let cache = try await CacheBench.ready().cache
        #expect(try await cache.hset("h", "a", 1) == 1)
        #expect(try await cache.hset("h", ["a": 2, "b": 3]) == 1)
        #expect(try await cache.hset("h", [String: Int]()) == 0)
        #expect(try await cache.hget("h", "a") == 2)
        #expect(try await cache.hget("h", "x", as: Int.self) == nil)
        #expect(try await cache.hgetall("h") == ["a": 2, "b": 3])
        #expect(try await cache.hgetall("none", as: Int.self).isEmpty)
        #expect(try await cache.hdel("h", "a", "x") == 1)
        #expect(try await cache.hdel("h", []) == 0)
        #expect(try await cache.hdel("h", ["b"]) == 1)
        #expect(try await !cache.exists("h"))
        let mixed: [String: JSONValue] = ["name": "Ana", "age": 30]
        try await cache.hset("mixed", mixed)
        #expect(try await cache.hgetall("mixed") == mixed)
    }

    @Test func aWrongTypeInTheStoreIsAFailure() async throws {
        let cache = try await CacheBench.ready().cache
        try await cache.set("k", 1)
        #expect(try await cache.hgetall("k", as: Int.self).isEmpty)
        #expect(await code { _ = try await cache.strict.hgetall("k", as: Int.self) } == .storeRejected)
    }

    @Test(arguments: ["", String(repeating: "k", count: 32_769)])
    func keysThatCannotBeUsed(key: String) async throws {
        let bench = try await CacheBench.ready()
        let cache = bench.cache
        #expect(await code { _ = try await cache.get(key, as: Int.self) } == .invalidArgument)
        #expect(await code { try await cache.set(key, 1) } == .invalidArgument)
        #expect(await code { try await cache.del("a", key) } == .invalidArgument)
        #expect(await code { _ = try await cache.mget(["a", key], as: Int.self) } == .invalidArgument)
        #expect(await code { try await cache.hset(key, "f", 1) } == .invalidArgument)
        #expect(await code { _ = try await cache.getOrLoad(key: key, ttl: .seconds(1)) { 1 } } == .invalidArgument)
        #expect(bench.store.calls(of: .get) == 0)
    }

    @Test func theLongestKey() async throws {
        let cache = try await CacheBench.ready().cache
        let key = String(repeating: "k", count: 32_768)
        try await cache.set(key, 1)
        #expect(try await cache.get(key) == 1)
    }
}
