import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import RESP
import TestSupport
import Testing

@Suite("Cluster and Sentinel behind the endpoint", .serialized)
struct TopologyTests {
    @Test("a cluster: commands go to the nodes of their keys, transactions to one")
    func cluster() async throws {
        let cluster = try await RedisCluster.start(primaries: 3, replicas: 0)
        let seeds = cluster.servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        try await Endpoint.serving("redis+cluster://\(seeds)") { endpoint in
            // Slots 12182, 5061 and 7365: one on each node.
            let commands = #"[["SET","foo",1],["SET","bar",2],["SET","c",3],["MGET","foo","bar","c"],["DBSIZE"]]"#
            let answer = try await endpoint.ask(.POST, "/pipeline", commands)
            let stored = #"{"result":"OK"},{"result":"OK"},{"result":"OK"}"#
            #expect(answer.body == "[\(stored),{\"result\":[\"1\",\"2\",\"3\"]},{\"result\":3}]")
            let crossing = "CROSSSLOT Keys in request don't hash to the same slot"
            let mixed = try await endpoint.ask(
                .POST,
                "/pipeline",
                #"[["GET","foo"],["RENAME","foo","bar"],["GET","bar"],["GET","c"]]"#
            )
            let replies = "{\"result\":\"1\"},{\"error\":\"\(crossing)\"},{\"result\":\"2\"},{\"result\":\"3\"}"
            #expect(mixed.body == "[\(replies)]")
            #expect(try await Self.scan(endpoint) == ["foo", "bar", "c"])
            for commands in [#"[["INCR","foo"],["INCR","bar"]]"#, #"[["XREAD","streams","s",0],["INCR","bar"]]"#] {
                let refused = try await endpoint.ask(.POST, "/multi-exec", commands)
                #expect(refused.status == 400)
                #expect(refused.error == crossing)
            }
            #expect(try await endpoint.ask(.GET, "/get/foo").body == #"{"result":"1"}"#)
            for name in ["foo", "bar", "c"] {
                let commands = """
                    [["INCR","\(name)"],["XADD","{\(name)}s","1-1","f","v"],["XREAD","STREAMS","{\(name)}s",0]]
                    """
                let transaction = try await endpoint.ask(.POST, "/multi-exec", commands)
                #expect(transaction.status == 200, "\(transaction.body)")
                let entries = "[[\"{\(name)}s\",[[\"1-1\",[\"f\",\"v\"]]]]]}]"
                #expect(transaction.body.hasSuffix(entries), "\(transaction.body)")
            }
            #expect(try await endpoint.ask(.GET, "/publish/c/m").status == 200)
            #expect(try await endpoint.ask(.POST, "/monitor").error?.contains("'MONITOR'") == true)
            let reader = try await endpoint.open(.POST, "/subscribe/c")
            #expect(reader.status == .ok)
        }
    }

    @Test("a script that was loaded is known wherever its keys are")
    func scripts() async throws {
        let cluster = try await RedisCluster.start(primaries: 3, replicas: 0)
        try await Endpoint.serving("redis+cluster://127.0.0.1:\(cluster.servers[0].port)") { endpoint in
            let script = RedisScript("return KEYS[1]")
            let load = try await endpoint.ask(.POST, "/", "[\"SCRIPT\",\"LOAD\",\"\(script.source)\"]")
            #expect(load.body == "{\"result\":\"\(script.sha1)\"}")
            for key in ["foo", "bar", "c"] {
                #expect(
                    try await endpoint.ask(.GET, "/evalsha/\(script.sha1)/1/\(key)").body == "{\"result\":\"\(key)\"}"
                )
            }
            #expect(try await endpoint.ask(.GET, "/script/flush").body == #"{"result":"OK"}"#)
            for key in ["foo", "bar", "c"] {
                let unknown = try await endpoint.ask(.GET, "/evalsha/\(script.sha1)/1/\(key)")
                #expect(unknown.error?.hasPrefix("NOSCRIPT") == true)
            }
        }
    }

    private static func scan(_ endpoint: Endpoint) async throws -> Set<String> {
        var cursor = "0"
        var keys: Set<String> = []
        repeat {
            let answer = try await endpoint.ask(.POST, "/", "[\"SCAN\",\"\(cursor)\"]")
            let page = try JSONDecoder().decode(Page.self, from: Data(answer.bytes.readableBytesView)).result
            cursor = page.cursor
            keys.formUnion(page.keys)
        } while cursor != "0"
        return keys
    }

    private struct Page: Decodable {
        struct Result: Decodable {
            let cursor: String
            let keys: [String]

            init(from decoder: any Decoder) throws {
                var members = try decoder.unkeyedContainer()
                cursor = try members.decode(String.self)
                keys = try members.decode([String].self)
            }
        }

        let result: Result
    }

    @Test("a cluster's slot that moved: transactions follow it")
    func movedSlot() async throws {
        let cluster = try await RedisCluster.start(primaries: 2, replicas: 0)
        try await Endpoint.serving("redis+cluster://127.0.0.1:\(cluster.servers[0].port)") { endpoint in
            #expect(try await endpoint.ask(.GET, "/ping").status == 200)
            // The empty slot of "foo" goes to the other node without the endpoint being told.
            for server in cluster.servers { try server.command("CLUSTER SETSLOT 12182 NODE \(cluster.ids[0])") }
            let answer = try await endpoint.ask(.POST, "/multi-exec", #"[["SET","foo",1],["INCR","foo"]]"#)
            #expect(answer.body == #"[{"result":"OK"},{"result":2}]"#)
            #expect(try cluster.servers[0].command("GET foo").contains("2"))
        }
    }

    @Test("sentinels: the endpoint asks them for the primary, and follows a failover")
    func sentinels() async throws {
        let sentinels = try await RedisSentinels.start(serverPassword: "server", sentinelPassword: "sentinel")
        let ports = sentinels.sentinels.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        let url = "redis+sentinel://:server@\(ports)/\(RedisSentinels.primaryName)?sentinelPassword=sentinel"
        try await Endpoint.serving(url) { endpoint in
            #expect(try await endpoint.ask(.GET, "/set/k/v").body == #"{"result":"OK"}"#)
            let transaction = #"[["SET","k","w"],["GET","k"]]"#
            let expected = #"[{"result":"OK"},{"result":"w"}]"#
            #expect(try await endpoint.ask(.POST, "/multi-exec", transaction).body == expected)
            let monitor = try await endpoint.open(.POST, "/monitor")
            #expect(monitor.status == .ok)
            await sentinels.servers[0].stop()
            let isBack = try await eventually(within: .seconds(60)) {
                try await endpoint.ask(.POST, "/multi-exec", transaction).body == expected
            }
            #expect(isBack)
            #expect(try await endpoint.ask(.GET, "/get/k").body == #"{"result":"w"}"#)
        }
    }
}
