import NIOCore
import NIOHTTP1
import RESP
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Scripts")
struct ScriptTests {
    @Test(
        "the flag that only Upstash knows is left out, and nothing else of a script",
        arguments: [
            ("#!lua flags=allow-key-locking\nreturn 1", "#!lua\nreturn 1"),
            ("#!lua flags=no-writes,allow-key-locking\r\nreturn 1", "#!lua flags=no-writes\nreturn 1"),
            ("#!lua name=x flags=allow-key-locking,no-writes\n--\u{301}", "#!lua name=x flags=no-writes\n--\u{301}"),
            ("#!lua flags=no-writes\nreturn 'allow-key-locking'", nil), ("return 'flags=allow-key-locking'", nil),
            ("", nil),
        ]
    )
    func flags(script: String, expected: String?) {
        for name in ["EVAL", "EVAL_RO", "SCRIPT"] {
            let before = name == "SCRIPT" ? [ByteBuffer(string: "LOAD")] : []
            let arguments = before + [ByteBuffer(string: script), ByteBuffer(string: "0")]
            let command = RESPCommand(name, arguments: arguments)
            let scripts = UpstashScripts()
            let sent = scripts.forRedis(command)
            #expect(sent.argument(at: before.count)?.string == expected ?? script)
            #expect(sent.argumentCount == command.argumentCount)
        }
        let other = RESPCommand("SET", ByteBuffer(string: script), ByteBuffer(string: script))
        #expect(UpstashScripts().forRedis(other) == other)
    }

    @Test("scripts for Upstash run on Redis")
    func run() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let script = ##""#!lua flags=allow-key-locking\nreturn redis.call('INCR',KEYS[1])""##
            let commands = "[[\"EVAL\",\(script),1,\"n\"],[\"EVAL\",\(script),1,\"n\"]]"
            for path in ["/pipeline", "/multi-exec"] {
                _ = try await endpoint.ask(.GET, "/del/n")
                #expect(try await endpoint.ask(.POST, path, commands).body == #"[{"result":1},{"result":2}]"#)
            }
            #expect(try await endpoint.ask(.POST, "/", "[\"EVAL\",\(script),1,\"n\"]").body == #"{"result":3}"#)
        }
    }

    @Test("an error that a script makes up is its own; commands that are not there are named as they were sent")
    func errors() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let script = ##"["EVAL","return redis.error_reply(\"ERR unknown command 'FOO', x\")",0]"##
            let answer = ##"{"error":"ERR unknown command 'FOO', x"}"##
            #expect(try await endpoint.ask(.POST, "/", script).body == answer)
            #expect(try await endpoint.ask(.POST, "/pipeline", "[\(script)]").body == "[\(answer)]")
            #expect(try await endpoint.ask(.POST, "/multi-exec", "[\(script)]").body == "[\(answer)]")
            let unknown = ##"["foo'bar","x"]"##
            let refusal = UpstashRefusal.notAvailable("FOO'BAR").text
            #expect(refusal.contains("'FOO'BAR'"))
            #expect(try await endpoint.ask(.POST, "/", unknown).error == refusal)
            #expect(try await endpoint.ask(.POST, "/multi-exec", "[\(unknown)]").error == refusal)
            let both = try await endpoint.ask(.POST, "/pipeline", "[\(script),\(unknown)]").body
            #expect(both == "[\(answer),{\"error\":\"\(refusal)\"}]")
        }
    }

    private static let flagged = RedisScript("#!lua flags=allow-key-locking\nreturn redis.call('INCR',KEYS[1])")

    @Test("a script is known by the digest that its sender computes", arguments: ["/", "/pipeline", "/multi-exec"])
    func digests(path: String) async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let quoted = ##""#!lua flags=allow-key-locking\nreturn redis.call('INCR',KEYS[1])""##
            let digest = Self.flagged.sha1
            func run(_ command: String) async throws -> String {
                let answer = try await endpoint.ask(.POST, path, path == "/" ? command : "[\(command)]").body
                return path == "/" ? answer : String(answer.dropFirst().dropLast())
            }
            let unknown = try await run("[\"EVALSHA\",\"\(digest)\",1,\"n\"]")
            #expect(unknown.hasPrefix(#"{"error":"NOSCRIPT"#))
            #expect(try await run("[\"script\",\"load\",\(quoted)]") == "{\"result\":\"\(digest)\"}")
            #expect(try await run("[\"EVALSHA\",\"\(digest)\",1,\"n\"]") == #"{"result":1}"#)
            #expect(try await run("[\"evalsha\",\"\(digest.uppercased())\",1,\"n\"]") == #"{"result":2}"#)
            let exists = "[\"SCRIPT\",\"EXISTS\",\"\(digest)\",\"\(String(repeating: "0", count: 40))\"]"
            #expect(try await run(exists) == #"{"result":[1,0]}"#)
            #expect(try await run(#"["SCRIPT","FLUSH"]"#) == #"{"result":"OK"}"#)
            #expect(try await run(exists) == #"{"result":[0,0]}"#)
            #expect(try await run("[\"EVAL\",\(quoted),1,\"n\"]") == #"{"result":3}"#)
            #expect(try await run("[\"EVALSHA\",\"\(digest)\",1,\"n\"]") == #"{"result":4}"#)
        }
    }

    @Test("scripts without the flag keep their digests, and no more than the limit are remembered")
    func limit() {
        let scripts = UpstashScripts(limit: 2)
        func source(_ number: Int) -> String { "#!lua flags=allow-key-locking\nreturn \(number)" }
        func call(_ number: Int) -> RESPCommand { RESPCommand("EVALSHA", RedisScript(source(number)).sha1, 0) }
        for number in 0..<3 {
            _ = scripts.forRedis(RESPCommand("EVAL", ByteBuffer(string: source(number)), 0))
            let changed = RedisScript("#!lua\nreturn \(number)").sha1
            #expect(scripts.forRedis(call(number)).arguments == [.string(changed), 0])
        }
        #expect(scripts.forRedis(call(0)) == call(0))
        let plain = RESPCommand("SCRIPT", ByteBuffer(string: "LOAD"), ByteBuffer(string: "return 1"))
        #expect(scripts.forRedis(plain) == plain)
        let reply = RESPValue.bulkString(ByteBuffer(string: RedisScript("return 1").sha1))
        #expect(scripts.replies([reply], to: [plain]) == [reply])
    }

    @Test("a script that does not end can be ended, though it holds up what others sent")
    func kill() async throws {
        let server = try await RedisServer.start(arguments: ["--lua-time-limit", "10"])
        try await Endpoint.serving(server.url) { endpoint in
            async let script = endpoint.ask(.POST, "/", #"["EVAL","while true do end",0]"#)
            let isEnded = try await eventually {
                try await endpoint.ask(.GET, "/script/kill").body == #"{"result":"OK"}"#
            }
            #expect(isEnded)
            let answer = try await script
            #expect(answer.status == 400)
            #expect(try await endpoint.ask(.GET, "/ping").status == 200)
        }
    }
}
