import Foundation
import NIOCore
import NIOHTTP1
import RESP
import Testing

@testable import FreshetServer

@Suite("Answers")
struct AnswerTests {
    @Test("results have the shapes of RESP2")
    func shapes() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let answer = try await endpoint.ask(
                .POST,
                "/pipeline",
                """
                [["HSET","h","a",1],["HGETALL","h"],["ZADD","z",1.5,"m"],["ZRANGE","z",0,-1,"WITHSCORES"],["SADD","s","x"],
                 ["SMEMBERS","s"],["TYPE","s"],["EXISTS","none"],["LRANGE","none",0,-1],["EVAL","return {1,{'a',false}}",0],
                 ["XADD","x","1-1","f","v"],["XRANGE","x","-","+"]]
                """
            )
            #expect(
                answer.body == """
                    [{"result":1},{"result":["a","1"]},{"result":1},{"result":["m","1.5"]},{"result":1},{"result":["x"]},\
                    {"result":"set"},{"result":0},{"result":[]},{"result":[1,["a",null]]},{"result":"1-1"},\
                    {"result":[["1-1",["f","v"]]]}]
                    """
            )
        }
    }

    @Test("base64 encodes every string but the status OK at the top")
    func encoded() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let script = "return {{ok='OK'},{'a',1,false},'OK'}"
            let answer = try await endpoint.ask(
                .POST,
                "/pipeline",
                """
                [["SET","k","OK"],["GET","k"],["PING"],["INCR","n"],["GET","none"],["EVAL","\(script)",0],["INCR","k"],
                 ["ECHO",""],["ECHO","a"],["ECHO","ab"],["ECHO","abc"],["ECHO","\\u00ff\\u00fe"]]
                """,
                headers: base64
            )
            #expect(
                answer.body == """
                    [{"result":"OK"},{"result":"T0s="},{"result":"UE9ORw=="},{"result":1},{"result":null},\
                    {"result":["T0s=",["YQ==",1,null],"T0s="]},{"error":"ERR value is not an integer or out of range"},\
                    {"result":""},{"result":"YQ=="},{"result":"YWI="},{"result":"YWJj"},{"result":"w7/Dvg=="}]
                    """
            )
            #expect(
                try await endpoint.ask(.POST, "/", #"["SET","k","v"]"#, headers: base64).body == #"{"result":"OK"}"#
            )
        }
    }

    @Test("resp2 gives replies as a server sends them, and excludes base64 and transactions")
    func raw() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let answer = try await endpoint.ask(
                .POST,
                "/pipeline",
                #"[["SET","k","v"],["GET","k"],["INCR","k"],["GET","none"],["EVAL","return {1,{'a'}}",0],["MULTI"]]"#,
                headers: resp2
            )
            #expect(
                answer.body == "+OK\r\n$1\r\nv\r\n-ERR value is not an integer or out of range\r\n$-1\r\n"
                    + "*2\r\n:1\r\n*1\r\n$1\r\na\r\n"
                    + "-ERR Command \"MULTI\" is not allowed in REST or it has a special context path\r\n"
            )
            var both = resp2
            both.add(contentsOf: base64)
            #expect(try await endpoint.ask(.GET, "/get/k", headers: both).status == 400)
            let transaction = try await endpoint.ask(.POST, "/multi-exec", #"[["GET","k"]]"#, headers: resp2)
            #expect(transaction.status == 400)
            #expect(transaction["Content-Type"]?.hasPrefix("application/json") == true)
            #expect(transaction.error == "ERR Upstash-Response-Format resp2 is not for /multi-exec")
            #expect(try await endpoint.ask(.GET, "/get/k", headers: ["Upstash-Response-Format": "xml"]).status == 400)
            #expect(try await endpoint.ask(.GET, "/get/k", headers: ["Upstash-Encoding": "hex"]).status == 400)
        }
    }

    @Test("a result that is nested too deep is an error, not a result that misses a part")
    func nesting() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            func nested(_ depth: Int) -> String {
                #"["EVAL","local t={} for i=2,\#(depth) do t={t} end return t",0]"#
            }
            func result(_ depth: Int) -> String {
                #"{"result":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
            }
            let error = "ERR the reply is nested deeper than 64 levels"
            #expect(try await endpoint.ask(.POST, "/", nested(64)).body == result(64))
            let alone = try await endpoint.ask(.POST, "/", nested(70))
            #expect(alone.status == 400)
            #expect(alone.error == error)
            let commands = "[\(nested(3)),\(nested(70)),\(nested(3))]"
            for path in ["/pipeline", "/multi-exec"] {
                for headers in [[:], base64] {
                    let answer = try await endpoint.ask(.POST, path, commands, headers: headers)
                    #expect(answer.body == "[\(result(3)),{\"error\":\"\(error)\"},\(result(3))]")
                }
            }
            let raw = try await endpoint.ask(.POST, "/pipeline", "[\(nested(2)),\(nested(70))]", headers: resp2)
            #expect(raw.body == "*1\r\n*0\r\n-\(error)\r\n")
        }
    }

    @Test("refusals have the format that was asked for, once it is known")
    func refusals() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            for (path, body, error) in [
                ("/", #"["ECHO",null]"#, "ERR null args are not supported"), ("/pipeline", "x", "expected JSON array"),
                ("/config/get/x", "", "ERR Command is not available: 'CONFIG'"), ("/subscribe/c", "", "ERR memory://"),
            ] {
                let answer = try await endpoint.ask(.POST, path, body, headers: resp2)
                #expect(answer.status == 400)
                #expect(answer["Content-Type"] == "application/octet-stream")
                #expect(answer.body.hasPrefix("-\(error)") && answer.body.hasSuffix("\r\n"), "\(answer.body)")
            }
            let encoded = try await endpoint.ask(.POST, "/", #"["ECHO",null]"#, headers: base64)
            #expect(encoded.body == #"{"error":"ERR null args are not supported"}"#)
            var unknown = resp2
            unknown.add(name: "Upstash-Encoding", value: "hex")
            #expect(try await endpoint.ask(.GET, "/ping", headers: unknown).error?.hasPrefix("ERR invalid") == true)
        }
    }

    @Test("no text ends a line of resp2 before its end")
    func lines() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let commands = #"[["NO\r\n+OK"],["EVAL","return redis.error_reply('ERR a\\nb')",0],["PING"]]"#
            let answer = try await endpoint.ask(.POST, "/pipeline", commands, headers: resp2)
            let lines = answer.body.components(separatedBy: "\r\n")
            #expect(lines.count == 4, "\(answer.body)")
            #expect(lines[0].hasPrefix("-ERR Command is not available: 'NO  +OK'."))
            #expect(lines[1].hasPrefix("-ERR a b"))
            #expect(lines[2...] == ["+PONG", ""])
            #expect(!lines[0].contains("\n") && !lines[1].contains("\n"))
        }
        for text in ["a\r\nb", "a\nb", "a\rb", "\r\n"] {
            for value in [RESPValue.error(RESPError(text)), .simpleString(text)] {
                var buffer = ByteBuffer()
                buffer.writeRESP2(value)
                let bytes = Array(buffer.readableBytesView)
                #expect(bytes.suffix(2) == [13, 10])
                #expect(!bytes.dropLast(2).contains { $0 == 13 || $0 == 10 })
            }
        }
    }

    @Test("strings are written as JSON has them, wherever a byte stands in its word of eight")
    func strings() throws {
        for length in 0...17 {
            var expected = ["ECHO"]
            var text = "[\"ECHO\""
            for byte in UInt8.min...UInt8.max {
                for place in 0...length {
                    var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                    bytes.insert(byte, at: place)
                    var buffer = ByteBuffer()
                    buffer.writeJSONString(ByteBuffer(bytes: bytes))
                    expected.append(String(decoding: bytes, as: UTF8.self))
                    text += ",\(String(buffer: buffer))"
                }
            }
            text += "]"
            let read = try JSONCommandReader.command(ByteBuffer(string: text), limits: UpstashEndpointLimits())
            #expect(read.command.arguments == expected.dropFirst().map { .bytes(ByteBuffer(string: $0)) })
            #expect(try JSONDecoder().decode([String].self, from: Data(text.utf8)) == expected)
        }
    }

    @Test("a list is written as its entries are one by one, whatever room there is")
    func lists() {
        var strings = ["é", String(repeating: "x", count: 70)]
        for place in 0...16 {
            let plain = String(repeating: "x", count: place)
            strings += [plain, plain + "\"" + plain]
        }
        let entries: [RESPValue] =
            strings.map { .bulkString(ByteBuffer(string: $0)) } + [
                .simpleString("OK"), .null, .integer(.min), .error(RESPError("ERR no")), .simpleString("PONG"),
                .integer(7), .array([.bulkString(ByteBuffer(string: "b")), .null]), .simpleString("OK"),
            ]
        for format in [UpstashAnswerFormat.json, .base64, .resp2] {
            for maxBytes in [.max] + Array(stride(from: 0, through: 1000, by: 37)) {
                for maxEntryBytes in [2, 8, .max] {
                    var list = UpstashAnswerWriter(format, maxEntryBytes: maxEntryBytes, maxBytes: maxBytes)
                    var expected = list
                    list.write(entries)
                    for entry in entries { expected.write(entry) }
                    #expect(list.buffer == expected.buffer)
                }
            }
        }
    }

    @Test("base64 is that of everybody, whatever is left over of three bytes")
    func groupsOfThree() {
        for length in 0...40 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: 251 &* ($0 + length)) }
            var writer = UpstashAnswerWriter(.base64)
            writer.write([.bulkString(ByteBuffer(bytes: bytes))])
            let expected = "{\"result\":\"\(Data(bytes).base64EncodedString())\"}"
            #expect(String(buffer: writer.buffer) == expected)
        }
    }

    @Test("bytes that are not UTF-8 become U+FFFD, and a null byte does not")
    func replacement() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            _ = try await endpoint.ask(.POST, "/set/k", ByteBuffer(bytes: [0x61, 0xFF, 0x00, 0xC3, 0xA9]))
            #expect(try await endpoint.ask(.GET, "/get/k").body == "{\"result\":\"a\u{FFFD}\\u0000é\"}")
            // A status keeps its bytes, too.
            let status = #"["EVAL","return {ok=string.char(97,255)}",0]"#
            #expect(try await endpoint.ask(.POST, "/", status).body == "{\"result\":\"a\u{FFFD}\"}")
            #expect(try await endpoint.ask(.POST, "/", status, headers: base64).body == #"{"result":"Yf8="}"#)
            let raw = try await endpoint.ask(.POST, "/", status, headers: resp2)
            #expect(raw.bytes == ByteBuffer(string: "$2\r\na") + ByteBuffer(bytes: [0xFF, 0x0D, 0x0A]))
        }
    }

    @Test("RESP3 values would be written in the shapes of RESP2 too")
    func conversion() {
        var writer = UpstashAnswerWriter()
        let map = RESPValue.map([RESPValue.Pair(key: .simpleString("a"), value: .double(1.5))])
        writer.beginList()
        for entry in [map, .boolean(true), .bigNumber("12"), .set([.integer(1)]), .double(2)] { writer.write(entry) }
        writer.endList()
        #expect(
            String(buffer: writer.buffer)
                == #"[{"result":["a","1.5"]},{"result":1},{"result":"12"},{"result":[1]},{"result":"2.0"}]"#
        )
    }

    @Test("the sync token changes with every write, and with writes only")
    func syncToken() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            func token(_ path: String, _ body: String) async throws -> String {
                try #require(try await endpoint.ask(.POST, path, body)["Upstash-Sync-Token"])
            }
            let first = try await token("/", #"["SET","k",1]"#)
            #expect(try await token("/", #"["GET","k"]"#) == first)
            #expect(try await token("/pipeline", #"[["GET","k"],["PING"]]"#) == first)
            let second = try await token("/pipeline", #"[["GET","k"],["INCR","k"]]"#)
            #expect(second != first)
            let third = try await token("/multi-exec", #"[["INCR","k"]]"#)
            #expect(![first, second].contains(third))
            #expect(try await token("/get/k", "") == third)
            // Refusals have one, too.
            for (path, body) in [("/", "x"), ("/", #"["AUTH","x"]"#), ("/multi-exec", #"[["AUTH","x"]]"#)] {
                #expect(try await token(path, body) == third)
            }
            let stranger = try await endpoint.ask(.GET, "/get/k", headers: ["Authorization": "Bearer x"])
            #expect(stranger["Upstash-Sync-Token"] == nil)
        }
    }
}
