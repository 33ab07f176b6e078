import HTTPTypes
import NIOCore
import NIOHTTP1
import RESP
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Forms of requests")
struct FormTests {
    @Test("a command in the body, with literals exactly as they are written")
    func body() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let stored = try await endpoint.ask(.POST, "/", #" ["SET", "k", "v", "EX", 100] "#)
            #expect(stored.status == 200)
            #expect(stored["Content-Type"] == "application/json; charset=utf-8")
            #expect(stored.body == #"{"result":"OK"}"#)
            #expect(try await endpoint.ask(.PUT, "/", #"["persist","k"]"#).body == #"{"result":1}"#)
            for literal in ["12345678901234567890", "1.50", "-0", "1E+2", "true", "false", "0.10e-3"] {
                _ = try await endpoint.ask(.POST, "/", "[\"SET\",\"n\",\(literal)]")
                #expect(try await endpoint.ask(.GET, "/get/n").body == "{\"result\":\"\(literal)\"}")
            }
            #expect(try await endpoint.ask(.POST, "/", #"["GET","none"]"#).body == #"{"result":null}"#)
            let escaped = try await endpoint.ask(
                .POST,
                "/",
                #"["ECHO","\u00e9\ud83d\ude00\ud800 \"\\\/\b\f\n\r\t\u0001"]"#
            )
            #expect(escaped.body == "{\"result\":\"é😀\u{FFFD} \\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0001\"}")
        }
    }

    @Test("a command in the path, decoded byte for byte")
    func path() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            #expect(try await endpoint.ask(.GET, "/set/a%2Fb/x%20+y/EX/100").body == #"{"result":"OK"}"#)
            #expect(try await endpoint.ask(.GET, "/get/a%2Fb").body == #"{"result":"x +y"}"#)
            // Clients mend such paths, so they are written by hand.
            let raw = try await RawConnection(port: endpoint.port)
            let query = "_token=\(Endpoint.token)"
            try await raw.send("GET /set/bytes/%ff%00/?\(query) HTTP/1.1\r\nHost: x\r\n\r\n")
            try await raw.send("GET /get/%zz?\(query) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await raw.receives("ERR invalid URL: a % without two hexadecimal digits"))
            #expect(raw.received.contains("400 Bad Request"))
            await raw.close()
            #expect(try await endpoint.ask(.GET, "/get/bytes", headers: base64).body == #"{"result":"/wA="}"#)
            #expect(try await endpoint.ask(.GET, "/set/empty//EX/100").body == #"{"result":"OK"}"#)
            #expect(try await endpoint.ask(.GET, "/get/empty").body == #"{"result":""}"#)
            let head = try await endpoint.ask(.HEAD, "/get/empty")
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
        }
    }

    @Test("paths are taken apart by bytes, also behind the origin that proxies are sent; what is no path is refused")
    func targets() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let raw = try await RawConnection(port: endpoint.port)
            let query = "_token=\(Endpoint.token)"
            func ask(_ target: String) async throws {
                try await raw.send("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
            }
            try await ask("HTTP://127.0.0.1:\(endpoint.port)/echo/absolute?\(query)")
            #expect(await raw.receives(#"{"result":"absolute"}"#))
            try await ask("http://x?\(query)")
            #expect(await raw.receives(#"{"error":"EOF"}"#))
            await raw.close()
            // A slash and the accent behind it are one character.
            let accents = try UpstashTarget("/set/\u{301}k?\u{301}a=\u{301}b&\u{301}c&_token=\u{301}")
            #expect(accents.path == ["set", "\u{301}k"].map { ByteBuffer(string: $0) })
            #expect(accents.query.map { String(buffer: $0.name) } == ["\u{301}a", "\u{301}c"])
            #expect(accents.query.first?.value == ByteBuffer(string: "\u{301}b"))
            #expect(accents.token == "\u{301}")
            for target in ["get/k", "*", "ftp://x/get/k", "", "http:/get/k"] {
                #expect(throws: UpstashRefusal.self, "\(target)") { try UpstashTarget(target) }
            }
            for (target, offset) in [("/get/%", 5), ("/get/%4", 5), ("/%zz", 1), ("/a?b=%ｆｆ", 5), ("/a?%u0041", 3)] {
                #expect(
                    throws: UpstashRefusal("ERR invalid URL: a % without two hexadecimal digits at byte \(offset)")
                ) { try UpstashTarget(target) }
            }
            #expect(try await endpoint.ask(.GET, "//get/k").error == "ERR empty command")
        }
    }

    @Test("a raw body is the last argument of the path, and the query follows it")
    func rawBody() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let bytes = ByteBuffer(bytes: (0...255).map { UInt8($0) })
            #expect(try await endpoint.ask(.POST, "/set/raw?EX=100&NX", bytes).body == #"{"result":"OK"}"#)
            let read = try await endpoint.ask(.GET, "/get/raw", headers: resp2)
            #expect(read["Content-Type"] == "application/octet-stream")
            #expect(read.bytes == ByteBuffer(string: "$256\r\n") + bytes + ByteBuffer(string: "\r\n"))
            #expect(try await endpoint.ask(.GET, "/persist/raw").body == #"{"result":1}"#)
            #expect(try await endpoint.ask(.POST, "/set/raw?EX=100&NX", bytes).body == #"{"result":null}"#)
            #expect(try await endpoint.ask(.GET, "/echo?a+b%2B").body == #"{"result":"a b+"}"#)
        }
    }

    @Test("a pipeline answers every command in its place")
    func pipeline() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let answer = try await endpoint.ask(
                .POST,
                "/pipeline",
                #"[["SET","k","v"],["MULTI"],["INCR","k"],["NOPE","secret"],["GET","k"],["GET","none"],["BLPOP","k",0]]"#
            )
            #expect(answer.status == 200)
            let expected = [
                #"{"result":"OK"}"#,
                #"{"error":"ERR Command \"MULTI\" is not allowed in REST or it has a special context path"}"#,
                #"{"error":"ERR value is not an integer or out of range"}"#,
                #"{"error":"ERR Command is not available: 'NOPE'. See "#
                    + #"https://upstash.com/docs/redis/overall/rediscompatibility for details"}"#,
                #"{"result":"v"}"#,
                #"{"result":null}"#,
                #"{"error":"ERR Command is not available: 'BLPOP'. See "#
                    + #"https://upstash.com/docs/redis/overall/rediscompatibility for details"}"#,
            ]
            #expect(answer.body == "[" + expected.joined(separator: ",") + "]")
            let refused = try await endpoint.ask(.POST, "/pipeline", #"[["MULTI"]]"#)
            #expect(refused.body.hasPrefix(#"[{"error":"ERR Command \"MULTI\""#))
        }
    }

    @Test(
        "bodies that are no commands are refused in the service's words",
        arguments: [
            ("", "EOF"), ("  ", "EOF"), ("{}", "expected JSON array"), ("\"SET\"", "expected JSON array"),
            ("[]", "ERR empty command"), (#"["","k"]"#, "ERR empty command"),
            (#"["GET",null]"#, "ERR null args are not supported"),
            (#"["GET",["k"]]"#, #"ERR unsupported arg type: "[": json.Delim"#),
            (#"["GET",{"k":1}]"#, #"ERR unsupported arg type: "{": json.Delim"#),
            (#"["GET","k""#, "ERR invalid JSON: unexpected end at byte 10"),
            (#"["GET","k"] x"#, "ERR invalid JSON: more after the end at byte 12"),
            (#"["GET" "k"]"#, "ERR invalid JSON: a comma or bracket is missing at byte 7"),
            (#"["GET","k",]"#, "ERR invalid JSON: a value is missing at byte 11"),
            (#"["GET",01]"#, "ERR invalid JSON: a comma or bracket is missing at byte 8"),
            (#"["GET",1.]"#, "ERR invalid JSON: a digit is missing at byte 9"),
            (#"["GET",nul]"#, "ERR invalid JSON: unknown word at byte 7"),
            (#"["GET","\x"]"#, "ERR invalid JSON: an unknown escape at byte 9"),
            (#"["GET","\u12"]"#, "ERR invalid JSON: an escape without four digits at byte 12"),
            ("[\"GET\",\"a\nb\"]", "ERR invalid JSON: a control character in a string at byte 9"),
            (#"["GET","k"#, "ERR invalid JSON: a string without end at byte 9"),
        ]
    )
    func malformed(body: String, error: String) throws {
        let limits = UpstashEndpointLimits()
        #expect(throws: UpstashRefusal(error)) {
            try JSONCommandReader.command(ByteBuffer(string: body), limits: limits)
        }
        guard body.hasPrefix("["), body != "[]" else { return }
        let nested = #expect(throws: UpstashRefusal.self) {
            try JSONCommandReader.commands(ByteBuffer(string: "[\(body)]"), limits: limits)
        }
        #expect(nested?.status == .badRequest)
    }

    @Test("every cut and every changed byte of a body is read or refused, and nothing else")
    func mutations() throws {
        let body = #"[["SET","k\u00e9\ud83d\ude00","v",1.5e3,true],["GET","é\n"]]"#
        let bytes = Array(body.utf8)
        for index in bytes.indices {
            #expect(throws: UpstashRefusal.self) {
                try JSONCommandReader.commands(ByteBuffer(bytes: bytes[..<index]), limits: UpstashEndpointLimits())
            }
            for byte in UInt8.min...UInt8.max {
                var changed = bytes
                changed[index] = byte
                do {
                    _ = try JSONCommandReader.commands(ByteBuffer(bytes: changed), limits: UpstashEndpointLimits())
                } catch is UpstashRefusal {}
            }
        }
    }

    @Test("text in a body that is not UTF-8 is mended")
    func notUTF8() throws {
        let command = try JSONCommandReader.command(
            ByteBuffer(bytes: Array("[\"ECHO\",\"a".utf8) + [0xFF] + Array("\"]".utf8)),
            limits: UpstashEndpointLimits()
        )
        #expect(command.command.arguments == [.bytes(ByteBuffer(string: "a\u{FFFD}"))])
    }
}

func + (left: ByteBuffer, right: ByteBuffer) -> ByteBuffer {
    var sum = left
    sum.writeImmutableBuffer(right)
    return sum
}
