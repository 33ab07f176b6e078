import HTTPTypes
import NIOCore
import NIOHTTP1
import RESP
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Access")
struct AccessTests {
    @Test("a token is needed: in the header, alone or as a bearer, or in the query, which wins")
    func tokens() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            func status(_ header: String?, _ query: String? = nil) async throws -> Int {
                var headers: HTTPHeaders = ["Authorization": header ?? ""]
                if header == nil { headers = ["X-No": "token"] }
                let path = "/ping" + (query.map { "?_token=\($0)" } ?? "?_token=")
                return try await endpoint.ask(.GET, query == nil && header != nil ? "/ping" : path, headers: headers)
                    .status
            }
            #expect(try await status("Bearer \(Endpoint.token)") == 200)
            #expect(try await status("bearer  \(Endpoint.token)") == 200)
            #expect(try await status(Endpoint.token) == 200)
            #expect(try await status("Bearer \(Endpoint.readOnlyToken)") == 200)
            #expect(try await status(nil, Endpoint.token) == 200)
            #expect(try await status("Bearer wrong", Endpoint.token) == 200)
            #expect(try await status("Bearer \(Endpoint.token)", "wrong") == 401)
            #expect(try await status(nil) == 401)
            for wrong in ["Bearer", "Bearer ", "Bearer full-toke", "Bearer full-tokenx", "Basic \(Endpoint.token)"] {
                #expect(try await status(wrong) == 401, "\(wrong)")
            }
            let refused = try await endpoint.ask(
                .POST,
                "/",
                #"["SET","k","v"]"#,
                headers: ["Authorization": "Bearer x"]
            )
            #expect(
                refused.error == "WRONGPASS invalid or missing auth token. "
                    + "See https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details."
            )
            #expect(try await endpoint.ask(.GET, "/exists/k").body == #"{"result":0}"#)
        }
    }

    @Test("no token is printed, neither of a configuration nor of an endpoint")
    func secrets() async throws {
        let configuration = try UpstashEndpointConfiguration(
            store: .memory,
            token: "s3cret-token",
            readOnlyToken: "s3cret-for-reads",
            port: 0
        )
        #expect(!printed(configuration).contains("s3cret"))
        let endpoint = try await buildUpstashEndpoint(configuration: configuration, logger: RecordedLogs().logger)
        #expect(!"\(endpoint)".contains("s3cret"))
    }

    @Test("other methods get 405, and preflights are answered")
    func methods() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            for method in [HTTPMethod.DELETE, .PATCH, .TRACE] {
                let answer = try await endpoint.ask(method, "/ping")
                #expect(answer.status == 405)
                #expect(answer.body.isEmpty)
            }
            let preflight = try await endpoint.ask(
                .OPTIONS,
                "/ping",
                headers: ["Origin": "https://x", "Authorization": ""]
            )
            #expect(preflight.status == 200)
            #expect(preflight["Access-Control-Allow-Origin"] == "*")
            let answer = try await endpoint.ask(.GET, "/ping")
            #expect(answer["Access-Control-Allow-Origin"] == "*")
            #expect(answer["Access-Control-Expose-Headers"] == "Upstash-Sync-Token")
        }
    }

    @Test("the read-only token reads, and nothing else")
    func readOnlyToken() async throws {
        @Sendable func refusal(_ command: String) -> String {
            "NOPERM this user has no permissions to run the '\(command)' command or its subcommand"
        }
        try await Endpoint.overRedis { endpoint, _ in
            _ = try await endpoint.ask(.POST, "/", #"["SET","k","v"]"#)
            #expect(try await endpoint.ask(.GET, "/get/k", headers: readOnly).body == #"{"result":"v"}"#)
            #expect(try await endpoint.ask(.POST, "/", #"["TOUCH","k"]"#, headers: readOnly).body == #"{"result":1}"#)
            #expect(
                try await endpoint.ask(.POST, "/", #"["XREAD","STREAMS","x","0"]"#, headers: readOnly).status == 200
            )
            let withheld = [
                #"["SET","k","w"]"#, #"["del","k"]"#, #"["EVAL","return redis.call('DEL','k')",0]"#, #"["KEYS","*"]"#,
                #"["SCAN","0"]"#, #"["FLUSHALL"]"#, #"["GETDEL","k"]"#, #"["GETEX","k","EX",1]"#, #"["SORT","k"]"#,
                #"["PUBLISH","c","m"]"#, #"["XREADGROUP","GROUP","g","c","STREAMS","x",">"]"#, #"["SCRIPT","FLUSH"]"#,
                #"["EVAL_RO","while true do end",0]"#, #"["fcall_ro","f",0]"#, #"["RANDOMKEY"]"#, #"["info"]"#,
                #"["LCS","k","k"]"#,
            ]
            for command in withheld {
                let answer = try await endpoint.ask(.POST, "/", command, headers: readOnly)
                #expect(answer.status == 400, "\(command)")
                #expect(answer.error?.hasPrefix("NOPERM ") == true, "\(command)")
            }
            #expect(try await endpoint.ask(.GET, "/set/k/w", headers: readOnly).error == refusal("set"))
            let pipeline = try await endpoint.ask(.POST, "/pipeline", #"[["GET","k"],["INCR","k"]]"#, headers: readOnly)
            #expect(pipeline.body == "[{\"result\":\"v\"},{\"error\":\"\(refusal("incr"))\"}]")
            let transaction = try await endpoint.ask(
                .POST,
                "/multi-exec",
                #"[["GET","k"],["DEL","k"]]"#,
                headers: readOnly
            )
            #expect(transaction.error == refusal("del"))
            #expect(try await endpoint.ask(.POST, "/subscribe/c", headers: readOnly).error == refusal("subscribe"))
            #expect(try await endpoint.ask(.GET, "/get/k").body == #"{"result":"v"}"#)
        }
    }

    @Test(
        "commands of connections, and those with a path of their own, are refused",
        arguments: [
            "AUTH", "client", "DISCARD", "EXEC", "HELLO", "MONITOR", "multi", "PSUBSCRIBE", "QUIT", "RESET", "SELECT",
            "SUBSCRIBE", "UNWATCH", "WATCH",
        ]
    )
    func connections(name: String) throws {
        let refusal = UpstashCommandRules.refusal(
            of: try UpstashCommand(name: ByteBuffer(string: name)),
            isReadOnly: false,
            limits: UpstashEndpointLimits()
        )
        let expected = "ERR Command \"\(name.uppercased())\" is not allowed in REST or it has a special context path"
        #expect(refusal?.text == expected)
        #expect(refusal?.status == .badRequest)
    }

    @Test(
        "commands that block, govern the server or leave the database are not available",
        arguments: [
            "BLPOP", "blmove", "BZPOPMIN", "WAIT", "CONFIG", "SHUTDOWN", "DEBUG", "ACL", "MODULE", "REPLICAOF",
            "MIGRATE",
            "SWAPDB", "ROLE", "post", "HOST:", "MULTI\0 15", "GET\0", "GET A", "\u{212A}EYS",
        ]
    )
    func unavailable(name: String) throws {
        let refusal = UpstashCommandRules.refusal(
            of: try UpstashCommand(name: ByteBuffer(string: name)),
            isReadOnly: false,
            limits: UpstashEndpointLimits()
        )
        #expect(
            refusal?.text == "ERR Command is not available: '\(name.uppercased())'. "
                + "See https://upstash.com/docs/redis/overall/rediscompatibility for details"
        )
    }

    @Test("the read-only token writes in no form of request, by no name, and sees no events")
    func readOnlyForms() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            for (path, body) in [
                ("/set/k/v", ""), ("/SeT/k", "v"), ("/set?k&v", ""), ("/%73et/k/v", ""),
                ("/", #"["\u0073et","k","v"]"#),
                ("/eval/return%201/0", ""), ("/multi-exec", #"[["SET","k","v"]]"#), ("/publish/c", "m"),
                ("/subscribe/c", ""), ("/psubscribe/c", ""), ("/monitor", ""), ("/flushall", ""),
                ("/multi-exec", #"[["CLIENT","SETINFO","LIB-NAME","x"],["SET","k","v"]]"#),
            ] {
                let answer = try await endpoint.ask(.POST, path, body, headers: readOnly)
                #expect(answer.error?.hasPrefix("NOPERM ") == true, "\(path) \(body) \(answer.body)")
                #expect([400, 403].contains(answer.status), "\(path)")
            }
            // Letters of other alphabets are not taken for those of ASCII.
            let dotless = try await endpoint.ask(.POST, "/", #"["ıncr","k"]"#)
            #expect(dotless.error?.hasPrefix("ERR Command is not available: ") == true)
            let own = try await endpoint.ask(.POST, "/", #"["CLIENT","SETINFO","LIB-NAME","x"]"#, headers: readOnly)
            #expect(own.body == #"{"result":"OK"}"#)
            #expect(try await endpoint.ask(.GET, "/exists/k").body == #"{"result":0}"#)
        }
    }

    @Test("every command of Redis that writes, governs or runs scripts that write is refused to the read-only token")
    func readOnlyCatalogue() async throws {
        try await Endpoint.overRedis { _, server in
            let categories = ["write", "admin", "scripting", "blocking", "transaction", "pubsub"]
            for category in categories {
                let lines = try server.command("ACL CAT \(category)").split(whereSeparator: \.isNewline)
                let listed = lines.filter { $0.first?.isLetter == true }
                let names = Set(listed.compactMap { $0.split(separator: "|").first?.uppercased() })
                #expect(names.count > 3)
                for name in names where name != "XREAD" {
                    let refusal = UpstashCommandRules.refusal(
                        of: try UpstashCommand(name: ByteBuffer(string: name)),
                        isReadOnly: true,
                        limits: UpstashEndpointLimits()
                    )
                    #expect(refusal != nil, "\(name)")
                }
            }
        }
    }

    @Test("the read-only token reads the same a hundred times at once, and others as often as they like")
    func repetitions() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            _ = try await endpoint.ask(
                .POST,
                "/pipeline",
                #"[["SET","k","v"],["SADD","s","m"],["HSET","h","f","v"],["ZADD","z","1","m"],["RPUSH","l","1"]]"#
            )
            func command(_ head: String, _ repeated: String, _ count: Int) -> String {
                "[\(head)\(String(repeating: ",\"\(repeated)\"", count: count))]"
            }
            let cases: [(String, String?)] = [
                (#"["SRANDMEMBER","s","-1000"]"#, #"["SRANDMEMBER","s","-1001"]"#),
                (#"["HRANDFIELD","h",-1000]"#, #"["hrandfield","h",-1001]"#),
                (#"["HRANDFIELD","h",-100,"WITHVALUES"]"#, #"["HRANDFIELD","h",-101,"withvalues"]"#),
                (#"["ZRANDMEMBER","z",-1000]"#, #"["ZRANDMEMBER","z",-1001]"#),
                (#"["SRANDMEMBER","s","1000000"]"#, nil),
                (command(#""MGET""#, "k", 101), command(#""MGET""#, "k", 102)),
                (command(#""SUNION""#, "s", 11), command(#""SUNION""#, "s", 12)),
                (command(#""SINTERCARD",12,"none""#, "s", 11), command(#""SINTERCARD",13,"none""#, "s", 12)),
                (command(#""SDIFF""#, "s", 101), command(#""SDIFF""#, "s", 102)),
                (command(#""PFCOUNT""#, "none", 101), command(#""PFCOUNT""#, "none", 102)),
                (command(#""ZUNION",11"#, "z", 11), command(#""ZUNION",12"#, "z", 12)),
                (command(#""HMGET","h""#, "f", 101), command(#""HMGET","h""#, "f", 102)),
                (command(#""SORT_RO","l""#, "GET", 100), command(#""SORT_RO","l""#, "GET", 102)),
                ("[\"MGET\"\((0..<5000).map { ",\"\($0)\"" }.joined())]", nil),
                ("[\"SUNION\"\((0..<5000).map { ",\"\($0)\"" }.joined())]", nil),
                (command(#""EXISTS""#, "k", 5000), nil),
            ]
            for (allowed, refused) in cases {
                let answer = try await endpoint.ask(.POST, "/", allowed, headers: readOnly)
                #expect(answer.status == 200, "\(allowed.prefix(50)) \(answer.body.prefix(100))")
                guard let refused else { continue }
                for path in ["/", "/multi-exec"] {
                    let body = path == "/" ? refused : "[\(refused)]"
                    let answer = try await endpoint.ask(.POST, path, body, headers: readOnly)
                    #expect(answer.status == 400, "\(refused.prefix(50))")
                    #expect(answer.error?.hasPrefix("NOPERM this user may read the same 100 times") == true)
                    #expect(try await endpoint.ask(.POST, path, body).status == 200, "\(refused.prefix(50))")
                }
                let piped = try await endpoint.ask(.POST, "/pipeline", "[\(refused),[\"PING\"]]", headers: readOnly)
                #expect(piped.body.hasPrefix(#"[{"error":"NOPERM "#))
                #expect(piped.body.hasSuffix(#"{"result":"PONG"}]"#))
            }
            #expect(try await endpoint.ask(.GET, "/srandmember/s/-1001", headers: readOnly).status == 400)
            for (count, keys, status) in [(101, 1, 200), (102, 1, 400), (500, 500, 200)] {
                let gets = "[\((0..<count).map { "[\"GET\",\"k\($0 % keys)\"]" }.joined(separator: ","))]"
                #expect(try await endpoint.ask(.POST, "/multi-exec", gets, headers: readOnly).status == status)
                #expect(try await endpoint.ask(.POST, "/multi-exec", gets).status == 200)
            }
            let draws = #"[["SRANDMEMBER","s",-600],["SRANDMEMBER","s",-600]]"#
            #expect(try await endpoint.ask(.POST, "/multi-exec", draws, headers: readOnly).status == 400)
            #expect(try await endpoint.ask(.POST, "/pipeline", draws, headers: readOnly).status == 200)
        }
    }

    @Test("any integer is a count, and only what names something repeats it")
    func oddRepetitions() {
        func count(_ command: RESPCommand) -> Int { UpstashRepetitions.count(in: command) }
        #expect(count(RESPCommand("VRANDMEMBER", "v", "-4000000000000000000")) > UpstashRepetitions.limit)
        #expect(count(RESPCommand("HRANDFIELD", "h", "\(Int.min)", "WITHVALUES")) > UpstashRepetitions.limit)
        #expect(count(RESPCommand("SRANDMEMBER", "s", "\(Int.min)")) > UpstashRepetitions.limit)
        #expect(count(RESPCommand("SRANDMEMBER", "s", "\(Int.min)0")) == 0)
        #expect(count(RESPCommand("SRANDMEMBER", "s")) == 0)
        #expect(count(RESPCommand("ZRANDMEMBER", "z", "-11", "WITHSCORES")) == 2)
        #expect(count(RESPCommand("XREAD", "STREAMS", "a", "b", "c", "0", "0", "0")) == 0)
        #expect(count(RESPCommand("XREAD", "COUNT", "1", "STREAMS", "a", "a", "a", "0", "1", "2")) == 2)
        #expect(count(RESPCommand("ZUNION", "2", "a", "b", "WEIGHTS", "1", "1")) == 0)
        #expect(count(RESPCommand("SDIFF", "a", "b", "c")) == 2)
        #expect(count(RESPCommand("SDIFF")) == 0)
        #expect(count(RESPCommand("JSON.MGET", "a", "a", "a")) == 1)
        let huge = RESPCommand("SRANDMEMBER", "s", "\(Int.min)")
        #expect(UpstashRepetitions.fitting([huge, huge]) == 0)
        #expect(UpstashRepetitions.fitting([RESPCommand("PING"), huge, huge]) == 1)
        let get = RESPCommand("GET", "a")
        #expect(
            UpstashRepetitions.fitting([get, get, RESPCommand("HRANDFIELD", "h", "\(1 + Int.min)", "WITHVALUES")]) == 2
        )
        let again = RESPCommand("MGET", "a", "b", "a")
        #expect(UpstashRepetitions.fitting(Array(repeating: again, count: 99)[...]) == 34)
    }

    @Test("no option of COPY leaves the database")
    func copies() async throws {
        try await Endpoint.overRedis { endpoint, server in
            let answer = try await endpoint.ask(
                .POST,
                "/pipeline",
                """
                [["SET","a","v"],["COPY","a","b"],["COPY","a","b","REPLACE"],["COPY","a","b","DB","5"],
                 ["copy","a","b","replace","db",5],["copy","a","b","DB\\u0000 1",5],["COPY","db","DB"],["GET","b"]]
                """
            )
            #expect(
                answer.body == """
                    [{"result":"OK"},{"result":1},{"result":1},{"error":"ERR DB option is not allowed in REST"},\
                    {"error":"ERR DB option is not allowed in REST"},\
                    {"error":"ERR DB option is not allowed in REST"},{"result":0},{"result":"v"}]
                    """
            )
            #expect(try await endpoint.ask(.GET, "/copy/a/b/DB/5").status == 400)
            #expect(try !server.command("INFO keyspace").contains("db5"))
        }
    }

    @Test("SDKs introduce themselves as they do to Redis", arguments: ["/pipeline", "/multi-exec"])
    func introductions(path: String) async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let body = """
                [["CLIENT","SETINFO","lib-ver","1.0"],["CLIENT","SETINFO","LIB-NAME",""],
                 ["CLIENT","SETINFO","lang","x"],["CLIENT","SETINFO","lib-name","an sdk"],["CLIENT","SETINFO","LIB-VER","1\\n"],["PING"]]
                """
            let answer = try await endpoint.ask(.POST, path, body)
            #expect(
                answer.body == """
                    [{"result":"OK"},{"result":"OK"},{"error":"ERR Unrecognized option 'lang'"},\
                    {"error":"ERR lib-name cannot contain spaces, newlines or special characters."},\
                    {"error":"ERR LIB-VER cannot contain spaces, newlines or special characters."},{"result":"PONG"}]
                    """
            )
        }
    }

    @Test("only an option BLOCK blocks, not a stream of that name; SDKs may introduce themselves")
    func options() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let answer = try await endpoint.ask(
                .POST,
                "/pipeline",
                """
                [["XREAD","BLOCK","0","STREAMS","s","$"],["XREAD","BLOCK\\u0000","0","STREAMS","s","$"],
                 ["XREADGROUP","GROUP","STREAMS","c","BLOCK","0","STREAMS","s",">"],
                 ["XREADGROUP","COUNT","1","BLOCK","0","GROUP","g","c","STREAMS","s",">"],["XADD","block","1-1","f","v"],["XREAD","STREAMS","block","0"],
                 ["CLIENT","SETINFO","LIB-NAME","sdk"],["SCRIPT","DEBUG\\u0000","YES"],["SUBSCRIBEX","c"],["ECHO","on"]]
                """
            )
            #expect(
                answer.body == """
                    [{"error":"ERR BLOCK option is not allowed in REST"},\
                    {"error":"ERR BLOCK option is not allowed in REST"},\
                    {"error":"ERR BLOCK option is not allowed in REST"},\
                    {"error":"ERR BLOCK option is not allowed in REST"},{"result":"1-1"},\
                    {"result":[["block",[["1-1",["f","v"]]]]]},{"result":"OK"},\
                    {"error":"ERR Command is not available: 'SCRIPT'. See \
                    https://upstash.com/docs/redis/overall/rediscompatibility for details"},\
                    {"error":"ERR Command is not available: 'SUBSCRIBEX'. See \
                    https://upstash.com/docs/redis/overall/rediscompatibility for details"},{"result":"on"}]
                    """
            )
        }
    }
}
