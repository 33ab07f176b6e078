import Freshet
import FreshetTesting
import Logging
import MetricsTestKit
import NIOCore
import TestSupport
import Testing

@Suite struct BadValueTests {
    struct Person: Codable, Sendable {
        var name: String
        var address: [String: Int]
    }

    @Test func aValueThatDoesNotDecodeIsACountedMiss() async throws {
        let bench = try await CacheBench.ready()
        let text = #"{"name":"secret","address":{"street":"secret"}}"#
        _ = try await bench.memory.set("k", .init(string: text), options: CacheOptions())
        #expect(try await bench.cache.get("k", as: Person.self) == nil)
        #expect(bench.metrics.counterTotal(label: "freshet_undecodable_values_total") == 1)
        let entry = try #require(bench.logs.entries.last)
        #expect(entry.level == .debug)
        #expect(entry.metadata["error"] == "invalidValue: the bytes are no Person: expected Int at $.address.street")
        #expect(!bench.logs.entries.contains { $0.text.contains("secret") })
    }

    @Test(arguments: ["", "{", #"{"name":"#, "[1", "null", "\u{0}"])
    func cutOffOrGarbled(text: String) async throws {
        let bench = try await CacheBench.ready()
        _ = try await bench.memory.set("k", .init(string: text), options: CacheOptions())
        _ = try await bench.memory.hset("h", ["bad": .init(string: text), "good": .init(string: "1")])
        #expect(try await bench.cache.get("k", as: Int.self) == nil)
        #expect(await code { _ = try await bench.cache.strict.get("k", as: Int.self) } == .invalidValue)
        #expect(try await bench.cache.mget(["k", "x"], as: Int.self) == [nil, nil])
        #expect(try await bench.cache.hget("h", "bad", as: Int.self) == nil)
        #expect(try await bench.cache.hgetall("h") == ["good": 1])
        #expect(await code { _ = try await bench.cache.strict.hgetall("h", as: Int.self) } == .invalidValue)
        #expect(try await bench.cache.getOrLoad(key: "k", ttl: .seconds(1)) { 7 } == 7)
        #expect(try await bench.text("k") == "7")
    }

    @Test func aValueWithoutJSONFormIsNotStored() async throws {
        let bench = try await CacheBench.ready()
        #expect(try await bench.cache.set("k", Double.infinity) == .failed)
        #expect(try await bench.cache.hset("k", "f", Double.nan) == 0)
        #expect(await code { try await bench.cache.strict.set("k", Double.infinity) } == .invalidValue)
        #expect(bench.store.calls(of: .set) == 0)
        #expect(bench.logs.entries.filter { $0.level == .error }.count == 2)
        let loaded = try await bench.cache.getOrLoad(key: "k", ttl: .seconds(1)) { Double.infinity }
        #expect(loaded == .infinity)
        #expect(try await !bench.cache.exists("k"))
    }
}
