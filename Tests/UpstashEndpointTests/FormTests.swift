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
        }
    }

    @Test(
        "what is no request of HTTP gets 400 with words, and its connection is closed",
        arguments: ["GET /é HTTP/1.1\r\nHost: x", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: x\r\nA\u{1}: b"]
    )
    func noRequest(head: String) async throws {
        try await Endpoint.serving("memory://") { endpoint in
            let raw = try await RawConnection(port: endpoint.port)
            try await raw.send("\(head)\r\n\r\n")
            #expect(await eventually { raw.isClosed })
            #expect(raw.received.hasPrefix("HTTP/1.1 400 "))
            #expect(raw.received.contains(#"{"error":"ERR not a request of HTTP/1.1: a request needs a method"#))
        }
    }

    @Test("a base URL may end in slashes", arguments: ["/", "//"])
    func slashes(prefix: String) async throws {
        try await Endpoint.serving("memory://") { endpoint in
            let raw = try await RawConnection(port: endpoint.port)
            func answer(_ path: String, _ body: String = "") async throws -> Bool {
                raw.forget()
                let head = "POST \(prefix)\(path)?_token=\(Endpoint.token) HTTP/1.1\r\nHost: x\r\n"
                try await raw.send("\(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                return await raw.receives(#"{"result":"x"}"#)
            }
            #expect(try await answer("/pipeline", #"[["ECHO","x"]]"#), "\(raw.received)")
            #expect(try await answer("/echo/x"), "\(raw.received)")
            #expect(try await answer("", #"["ECHO","x"]"#), "\(raw.received)")
            await raw.close()
            // Behind the name it is an empty argument.
            let arguments = try UpstashTarget("//set//k").path
            #expect(arguments == ["set", "", "k"].map { ByteBuffer(string: $0) })
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

    @Test("what no command of a pipeline can have is refused in its place, and the others are run")
    func unusableEntries() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let commands = #"""
                [["SET","n1","1"],["SET","n2","1"],["ZADD","z",null,"m"],["GET","n1"],[],["GET","n2"],["","k"],[null,[1]],
                 ["SET","n1",{"a":[{},"]",{"b":"\"}"}],"c":[]},[[[]],1],null,"x"],["GET",["n1"]],["SET","n1"],["EXEC"],
                 ["GET","n1"]]
                """#
            let answer = try await endpoint.ask(.POST, "/pipeline", commands)
            #expect(answer.status == 200)
            let expected = [
                #"{"result":"OK"}"#, #"{"result":"OK"}"#, #"{"error":"ERR null args are not supported"}"#,
                #"{"result":"1"}"#, #"{"error":"ERR empty pipeline command"}"#, #"{"result":"1"}"#,
                #"{"error":"ERR empty command"}"#, #"{"error":"ERR null args are not supported"}"#,
                #"{"error":"ERR unsupported arg type: \"{\": json.Delim"}"#,
                #"{"error":"ERR unsupported arg type: \"[\": json.Delim"}"#,
                #"{"error":"ERR wrong number of arguments for 'set' command"}"#,
                #"{"error":"ERR Command \"EXEC\" is not allowed in REST or it has a special context path"}"#,
                #"{"result":"1"}"#,
            ]
            #expect(answer.body == "[" + expected.joined(separator: ",") + "]")
            let alone = try await endpoint.ask(.POST, "/pipeline", "[[null]]")
            #expect(alone.body == #"[{"error":"ERR null args are not supported"}]"#)
            for (path, body, error) in [
                ("/pipeline", #"[["SET","n1",null],["SET","n1","2"]"#, "ERR invalid JSON: unexpected end"),
                ("/pipeline", #"[["SET","n1","2"],["GET",null,{"a"}]]"#, "ERR invalid JSON: a colon is missing"),
                ("/pipeline", #"[["SET","n1","2"],["GET",null,{1:2}]]"#, "ERR invalid JSON: a name is missing"),
                (
                    "/pipeline", #"[["SET","n1","2"],["GET",null,[1}]]"#,
                    "ERR invalid JSON: a comma or bracket is missing"
                ),
                ("/pipeline", #"[["SET","n1","2"],"GET"]"#, "expected JSON array"),
                ("/pipeline", "[]", "ERR empty pipeline request"),
                ("/multi-exec", #"[["SET","n1","2"],["GET",null]]"#, "ERR null args are not supported"),
                ("/multi-exec", #"[["SET","n1","2"],[]]"#, "ERR empty command"),
            ] {
                let refused = try await endpoint.ask(.POST, path, body)
                #expect(refused.status == 400)
                #expect(refused.error?.hasPrefix(error) == true, "\(body) \(refused.body)")
            }
            let deep = String(repeating: "[", count: 100_000)
            let refused = try await endpoint.ask(.POST, "/pipeline", "[[\(deep)")
            #expect(refused.error == "ERR invalid JSON: too many brackets in each other at byte 1002")
            #expect(try await endpoint.ask(.GET, "/get/n1").body == #"{"result":"1"}"#)
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
            try JSONCommandReader.transaction(ByteBuffer(string: "[\(body)]"), limits: limits)
        }
        #expect(nested?.status == .badRequest)
    }

    @Test("every cut and every changed byte of a body is read or refused, and nothing else")
    func mutations() throws {
        let body = #"[["SET","k\u00e9\ud83d\ude00","v",1.5e3,true],["GET","é\n",null,{"a":[1,{}],"b":""},[]]]"#
        let bytes = Array(body.utf8)
        for index in bytes.indices {
            #expect(throws: UpstashRefusal.self) {
                try JSONCommandReader.pipeline(ByteBuffer(bytes: bytes[..<index]), limits: UpstashEndpointLimits())
            }
            for byte in UInt8.min...UInt8.max {
                var changed = bytes
                changed[index] = byte
                do {
                    _ = try JSONCommandReader.pipeline(ByteBuffer(bytes: changed), limits: UpstashEndpointLimits())
                } catch is UpstashRefusal {}
            }
        }
    }

    @Test("letters of every length are read, escaped and as they are")
    func escapes() throws {
        var (escaped, expected) = ("", "")
        for (place, value) in stride(from: UInt32(0x20), to: 0x11_0000, by: 61).enumerated() {
            guard let letter = Unicode.Scalar(value), !["\"", "\\"].contains(letter) else { continue }
            expected.unicodeScalars.append(letter)
            if place % 3 == 0 {
                escaped.unicodeScalars.append(letter)
            } else {
                for unit in String(letter).utf16 {
                    escaped += "\\u" + String(0x10000 + Int(unit), radix: 16).dropFirst()
                }
            }
        }
        for (escaped, expected) in [
            (escaped, expected), (#"\u0430\u0431"#, "аб"), (#"\ud83d\u0041"#, "\u{FFFD}A"),
            (#"\udc00\n"#, "\u{FFFD}\n"),
        ] {
            let body = ByteBuffer(string: "[\"ECHO\",\"\(escaped)\"]")
            let command = try JSONCommandReader.command(body, limits: UpstashEndpointLimits())
            #expect(command.command.arguments == [.bytes(ByteBuffer(string: expected))])
        }
    }

    @Test("text in a body that is not UTF-8 is mended", arguments: ["a", #"\u0061"#])
    func notUTF8(letter: String) throws {
        for bytes in [Array(letter.utf8) + [0xFF], [0xFF] + Array(letter.utf8)] {
            let command = try JSONCommandReader.command(
                ByteBuffer(bytes: Array("[\"ECHO\",\"".utf8) + bytes + Array("\"]".utf8)),
                limits: UpstashEndpointLimits()
            )
            let expected = bytes[0] == 0xFF ? "\u{FFFD}a" : "a\u{FFFD}"
            #expect(command.command.arguments == [.bytes(ByteBuffer(string: expected))])
        }
    }
}

func + (left: ByteBuffer, right: ByteBuffer) -> ByteBuffer {
    var sum = left
    sum.writeImmutableBuffer(right)
    return sum
}
