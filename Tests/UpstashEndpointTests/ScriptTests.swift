import NIOCore
import NIOHTTP1
import RESP
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
            let sent = command.forRedis
            #expect(sent.argument(at: before.count)?.string == expected ?? script)
            #expect(sent.argumentCount == command.argumentCount)
            #expect([RESPCommand("PING"), command].forRedis == [RESPCommand("PING"), sent])
        }
        let other = RESPCommand("SET", ByteBuffer(string: script), ByteBuffer(string: script))
        #expect(other.forRedis == other)
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
}
