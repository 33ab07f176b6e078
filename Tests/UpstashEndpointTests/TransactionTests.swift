import Foundation
import NIOHTTP1
import RESP
import RedisClient
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Transactions")
struct TransactionTests {
    @Test("answers one result for each command; a failing one stops nothing")
    func results() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let answer = try await endpoint.ask(
                .POST,
                "/multi-exec",
                #"[["SET","k","v"],["INCR","k"],["GET","none"],["RPUSH","l",1,2],["LRANGE","l",0,-1]]"#
            )
            #expect(answer.status == 200)
            #expect(
                answer.body == """
                    [{"result":"OK"},{"error":"ERR value is not an integer or out of range"},{"result":null},\
                    {"result":2},{"result":["1","2"]}]
                    """
            )
            let encoded = try await endpoint.ask(
                .POST,
                "/multi-exec",
                #"[["SET","k","OK"],["GET","k"]]"#,
                headers: base64
            )
            #expect(encoded.body == #"[{"result":"OK"},{"result":"T0s="}]"#)
        }
    }

    @Test(
        "is discarded as a whole, with the reason, where a command cannot be queued",
        arguments: [
            (#"["SET","k"]"#, "ERR wrong number of arguments for 'set' command"),
            (
                #"["NOPE"]"#,
                "ERR Command is not available: 'NOPE'. "
                    + "See https://upstash.com/docs/redis/overall/rediscompatibility for details"
            ),
            (#"["EXEC"]"#, "ERR Command \"EXEC\" is not allowed in REST or it has a special context path"),
        ]
    )
    func discarded(command: String, error: String) async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let answer = try await endpoint.ask(.POST, "/multi-exec", "[[\"SET\",\"k\",\"v\"],\(command)]")
            #expect(answer.status == 400)
            #expect(answer.error == error)
            #expect(try await endpoint.ask(.GET, "/get/k").body == #"{"result":null}"#)
            let next = try await endpoint.ask(.POST, "/multi-exec", #"[["SET","k","v"]]"#)
            #expect(next.body == #"[{"result":"OK"}]"#)
        }
    }

    @Test("what is no command of the store is answered beside it and never sent")
    func introductions() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let introduction = #"["CLIENT","SETINFO","LIB-NAME","sdk"]"#
            let answer = try await endpoint.ask(
                .POST,
                "/multi-exec",
                "[\(introduction),[\"SET\",\"k\",\"v\"],\(introduction),[\"GET\",\"k\"]]"
            )
            #expect(answer.body == #"[{"result":"OK"},{"result":"OK"},{"result":"OK"},{"result":"v"}]"#)
            #expect(try await endpoint.ask(.POST, "/multi-exec", "[\(introduction)]").body == #"[{"result":"OK"}]"#)
        }
    }

    @Test("of many clients never mix, and each has a connection of its own")
    func concurrent() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxTransactions = 4
        try await Endpoint.overRedis(limits: limits) { endpoint, server in
            let commands = #"[["GET","n"],["INCR","n"],["INCR","n"],["GET","n"]]"#
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<64 {
                    group.addTask {
                        let answer = try await endpoint.ask(.POST, "/multi-exec", commands)
                        #expect(answer.status == 200, "\(answer.body)")
                        let numbers = Array(answer.body.split { !$0.isNumber }.compactMap { Int($0) }.suffix(3))
                        let first = try #require(numbers.first)
                        #expect(numbers == [first, first + 1, first + 1])
                    }
                    group.addTask {
                        let pipeline = #"[["INCRBY","n",1000],["INCRBY","n",1000]]"#
                        let answer = try await endpoint.ask(.POST, "/pipeline", pipeline)
                        #expect(answer.status == 200, "\(answer.body)")
                    }
                }
            }
            let client = RedisClient(try RedisClient.Configuration(url: server.url))
            let clients = try #require(try await client.execute(RESPCommand("CLIENT", "LIST")).string)
            let connections = clients.split(separator: "\n").count { $0.contains("name=freshet-upstash") }
            #expect((2...5).contains(connections), "\(connections)")
        }
    }
}
