import RESP
import Testing

@testable import RedisClient

@Suite struct CommandRouteTests {
    @Test(arguments: [
        (RESPCommand("GET", "a"), ["a"]),
        (RESPCommand("set", "a", "b"), ["a"]),
        (RESPCommand("EVALSHA", "d", 2, "a", "b", "c"), ["a", "b"]),
        (RESPCommand("EVAL", "s", 0, "c"), []),
        (RESPCommand("EVAL", "s", "9", "a", "b"), ["a", "b"]),
        (RESPCommand("EVAL", "s", "-1", "a"), []),
        (RESPCommand("FCALL", "f", 1, "a", "c"), ["a"]),
        (RESPCommand("MSET", "a", "1", "b", "2"), ["a", "b"]),
        (RESPCommand("ZUNIONSTORE", "a", 2, "b", "c", "WEIGHTS", 1, 2), ["a", "b", "c"]),
        (RESPCommand("ZINTER", 2, "b", "c", "WITHSCORES"), ["b", "c"]),
        (RESPCommand("XREAD", "COUNT", 2, "streams", "a", "b", "0", "0"), ["a", "b"]),
        (RESPCommand("XREADGROUP", "GROUP", "streams", "c", "STREAMS", "a", "b", ">", ">"), ["a", "b"]),
        (RESPCommand("XREADGROUP", "GROUP", "g", "streams", "STREAMS", "a", ">"), ["a"]),
        (RESPCommand("XREADGROUP", "GROUP"), []),
        (RESPCommand("SORT", "a", "LIMIT", 0, 1, "STORE", "b"), ["a", "b"]),
        (RESPCommand("SORT", "a", "BY", "store", "GET", "store", "STORE", "store", "DESC"), ["a", "store"]),
        (RESPCommand("GEORADIUSBYMEMBER", "a", "store", 5, "km"), ["a"]),
        (RESPCommand("GEORADIUS", "a", 1, 2, 5, "km", "STORE", "b", "STOREDIST", "c"), ["a", "b", "c"]),
        (RESPCommand("BITOP", "AND", "a", "b", "c"), ["a", "b", "c"]),
        (RESPCommand("OBJECT", "ENCODING", "a"), ["a"]),
        (RESPCommand("DEBUG", "OBJECT", "a"), ["a"]),
        (RESPCommand("MSETEX", 2, "a", "1", "b", "2", "EX", 1), ["a", "b"]),
        (RESPCommand("MSETEX", 2, "a"), ["a"]),
        (RESPCommand("COMMANDLOG", "GET", 1, "slow"), []),
        (RESPCommand("RENAME", "a", "b"), ["a", "b"]),
        (RESPCommand("BLPOP", "a", "b", 0), ["a", "b"]),
        (RESPCommand("PING", "a"), []),
        (RESPCommand("PUBLISH", "a", "b"), []),
        (RESPCommand("JSON.GET", "a", "$"), ["a"]),
        (RESPCommand("GET"), []),
    ])
    func findsTheKeys(command: RESPCommand, keys: [String]) {
        var found: [String] = []
        CommandRule.of(command).keys.forEachPosition(in: command) { position in
            if let key = command.argument(at: position)?.string { found.append(key) }
        }
        #expect(found == keys, "\(command)")
    }

    @Test func sendsKeysOfOneSlotToIt() throws {
        #expect(try CommandRoute.inCluster(RESPCommand("GET", "foo")) == .one(.slot(12_182)))
        #expect(try CommandRoute.inCluster(RESPCommand("MGET", "{foo}1", "{foo}2")) == .one(.slot(12_182)))
        #expect(try CommandRoute.inCluster(RESPCommand("PING")) == .one(.anyPrimary))
        #expect(try CommandRoute.inCluster(RESPCommand("DBSIZE")) == .everyPrimary(.sum))
    }

    @Test func aChannelIsNoKeyButHasAWay() throws {
        let place = Place.channel(slot: 12_182)
        #expect(try CommandRoute.inCluster(RESPCommand("publish", "foo", "m")) == .one(place))
        #expect(try CommandRoute.inCluster(RESPCommand("PUBLISH")) == .one(.anyPrimary))
        // It stands back where there are keys.
        #expect(place.joined(with: .slot(7)) == .slot(7))
        #expect(Place.slot(7).joined(with: place) == .slot(7))
        #expect(place.joined(with: .channel(slot: 7)) == place)
        #expect(place.joined(with: .anyPrimary) == place && Place.anyPrimary.joined(with: place) == place)
        #expect(Place.slot(7).joined(with: .slot(8)) == nil)
    }

    /// In parts those that lack nothing would be done.
    @Test func sendsWhatLacksAValueWhole() throws {
        let incomplete = RESPCommand("MSET", "foo", "1", "b", "2", "c")
        #expect(try CommandRoute.inCluster(incomplete) == .one(.slot(12_182)))
        guard case .parts = try CommandRoute.inCluster(RESPCommand("MSET", "foo", "1", "b", "2")) else {
            return #expect(Bool(false))
        }
    }

    @Test(arguments: [
        RESPCommand("RENAME", "a", "b"), RESPCommand("MSETNX", "a", "1", "b", "2"),
        RESPCommand("EVAL", "s", 2, "a", "b"),
    ])
    func refusesKeysOfSeveralSlots(command: RESPCommand) {
        let error = #expect(throws: RedisClientError.self) { try CommandRoute.inCluster(command) }
        #expect(error?.code == .crossSlot)
        #expect(error?.message.contains(command.name) == true)
    }
}
