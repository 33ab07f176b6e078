import RESP
import Testing

@testable import RedisClient

@Suite struct SlotMapTests {
    private func node(_ host: RESPValue, _ port: Int, _ more: RESPValue...) -> RESPValue {
        .array([host, .integer(port), .simpleString("id")] + more)
    }

    @Test func readsWhatNodesSay() throws {
        let ip = RESPValue.map([.init(key: .simpleString("ip"), value: .simpleString("10.0.0.9"))])
        let reply = RESPValue.array([
            .array([
                .integer(5), .integer(16_383), node(.simpleString("b"), 2), node(.null, 3),
                node(.simpleString("?"), 4, ip),
            ]),
            .array([.integer(0), .integer(3), node(.simpleString(""), 1)]),
        ])
        let map = try SlotMap(clusterSlots: reply, from: address(9))
        #expect(map.shards.map(\.primary) == [address(1), .hostname("b", port: 2)])
        #expect(Set(map.shards[1].replicas) == [address(3), .hostname("10.0.0.9", port: 4)])
        #expect(map.shard(of: 0) == 0 && map.shard(of: 5) == 1 && map.shard(of: 4) == nil)
        #expect(map.assignedCount == 16_383 && !map.isComplete)
        #expect(map.addresses.count == 4)
    }

    @Test func slotsOfWhomItCannotFindAreNobodys() throws {
        let reply = RESPValue.array([
            .array([.integer(0), .integer(9), node(.simpleString("a"), 0), node(.simpleString("b"), 2)]),
            .array([.integer(10), .integer(19), .array([.simpleString("a"), .null, .simpleString("id")])]),
            .array([.integer(20), .integer(29)]), .array([.integer(30), .integer(39), .null]),
            .array([.integer(40), .integer(49), node(.simpleString("b"), 2), node(.simpleString("c"), 0)]),
        ])
        let map = try SlotMap(clusterSlots: reply, from: address(9))
        #expect(map.shards == [.init(primary: .hostname("b", port: 2))])
        #expect(map.assignedCount == 10 && map.shard(of: 40) == 0 && map.shard(of: 39) == nil)
        #expect(try SlotMap(clusterSlots: .array([]), from: address(9)).assignedCount == 0)
    }

    @Test(arguments: [
        RESPValue.integer(1), .array([.integer(1)]), .array([.array([.integer(0), .integer(1)])]),
        .array([.array([.integer(0), .integer(99_999), .null])]), .array([.array([.integer(3), .integer(1), .null])]),
        .array([.array([.integer(0), .integer(1), .array([.simpleString("h"), .integer(0)])])]),
    ])
    func refusesWhatItDoesNotUnderstand(reply: RESPValue) {
        let error = #expect(throws: RedisClientError.self) { try SlotMap(clusterSlots: reply, from: address(1)) }
        #expect(error?.code == .protocolViolation)
    }

    @Test func refusesMorePrimariesThanThereAreSlots() {
        let entries = (0..<70_000).map { index in
            RESPValue.array([.integer(0), .integer(1), node(.simpleString("h\(index)"), 1)])
        }
        let error = #expect(throws: RedisClientError.self) {
            try SlotMap(clusterSlots: .array(entries), from: address(1))
        }
        #expect(error?.code == .protocolViolation)
    }

    @Test func movesSlots() {
        var map = SlotMap([.init(slots: 0...16_383, shard: .init(primary: address(1), replicas: [address(2)]))])
        map.move(7, to: address(2))
        #expect(map.shard(of: 7) == 1 && map.shards[1] == .init(primary: address(2)))
        map.move(7, to: address(1))
        #expect(map.shard(of: 7) == 0 && map.isComplete)
        var empty = SlotMap([])
        empty.move(3, to: address(1))
        #expect(empty.assignedCount == 1 && empty.shard(of: 3) == 0)
    }
}
