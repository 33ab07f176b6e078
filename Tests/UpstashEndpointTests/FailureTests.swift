import Foundation
import Freshet
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import RESP
import ServiceLifecycle
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Failures and limits")
struct FailureTests {
    @Test("what may be sent again may not once a part of it was run")
    func afterAPart() {
        let refusal = UpstashRefusal.unavailable("too much is under way")
        #expect(refusal.status == .serviceUnavailable && refusal.isTransient)
        #expect(refusal.afterwards.status == .badGateway && !refusal.afterwards.isTransient)
        #expect(refusal.afterwards.mayHaveRun)
        #expect(UpstashRefusal.emptyBody.afterwards == UpstashRefusal.emptyBody)
    }

    @Test("a Redis that is away is an error that says so, and recovers by itself")
    func away() async throws {
        var limits = UpstashEndpointLimits()
        limits.reconnectWait = .milliseconds(200)
        try await Endpoint.overRedis(limits: limits) { endpoint, server in
            #expect(try await endpoint.ask(.POST, "/", #"["SET","k","v"]"#).status == 200)
            await server.stop()
            for (path, body) in [
                ("/", #"["GET","k"]"#), ("/", #"["SET","k","w"]"#), ("/pipeline", #"[["GET","k"],["INCR","n"]]"#),
                ("/multi-exec", #"[["INCR","n"]]"#),
            ] {
                let answer = try await endpoint.ask(.POST, path, body)
                #expect([502, 503].contains(answer.status), "\(answer.status)")
                #expect(answer.error?.hasPrefix("ERR Redis is not available: ") == true)
                #expect(answer["Retry-After"] == (answer.status == 503 ? "1" : nil))
            }
            try await server.restart()
            let isBack = try await eventually {
                try await endpoint.ask(.POST, "/", #"["SET","k","w"]"#).body == #"{"result":"OK"}"#
            }
            #expect(isBack)
            let transaction = try await endpoint.ask(.POST, "/multi-exec", #"[["GET","k"]]"#)
            #expect(transaction.body == #"[{"result":"w"}]"#)
        }
    }

    @Test("streams wait for a Redis that is away as long as commands do")
    func awayFromStreams() async throws {
        var limits = UpstashEndpointLimits()
        limits.reconnectWait = .milliseconds(300)
        try await Endpoint.overRedis(limits: limits) { endpoint, server in
            await server.stop()
            let isNoticed = try await eventually { try await endpoint.ask(.GET, "/ping").status == 503 }
            #expect(isNoticed)
            for path in ["/ping", "/subscribe/c", "/psubscribe/c", "/monitor"] {
                // A connection of their own has four seconds, always. The machine may be slow now and then.
                let isAsLong = try await eventually {
                    let start = ContinuousClock.now
                    let answer = try await endpoint.ask(.GET, path)
                    let time = start.duration(to: .now)
                    #expect(answer.status == 503)
                    #expect(answer.error?.hasPrefix("ERR Redis is not available: ") == true)
                    #expect(time > .milliseconds(250), "\(path)")
                    return time < .seconds(3)
                }
                #expect(isAsLong, "\(path)")
            }
        }
    }

    @Test("a Redis that hangs is a time-out, and only for as long as it hangs")
    func hung() async throws {
        var limits = UpstashEndpointLimits()
        limits.commandTimeout = .milliseconds(100)
        try await Endpoint.overRedis(limits: limits) { endpoint, server in
            let token = try await endpoint.ask(.GET, "/ping")["Upstash-Sync-Token"]
            server.pause()
            let answer = try await endpoint.ask(.POST, "/", #"["SET","k","v"]"#)
            #expect(answer.status == 504)
            // It may have been done.
            #expect(answer["Upstash-Sync-Token"] != nil)
            #expect(answer["Upstash-Sync-Token"] != token)
            #expect(answer.error?.contains("timedOut") == true)
            server.resume()
            let isBack = try await eventually { try await endpoint.ask(.GET, "/ping").status == 200 }
            #expect(isBack)
        }
    }

    @Test("the time that a command waits for a server is none of its own", arguments: [false, true])
    func slowAfterReconnection(isTransaction: Bool) async throws {
        let server = try await RedisServer.start(arguments: ["--enable-debug-command", "yes"])
        var limits = UpstashEndpointLimits()
        limits.reconnectWait = .seconds(3)
        let backend = try UpstashRedisBackend(url: server.url, limits: limits, logger: Logger(label: "test"))
        // The connection is made for it.
        let commands = [RESPCommand("DEBUG", "SLEEP", "3.2")]
        do {
            let replies =
                isTransaction
                ? try await backend.transaction(commands, hasScripts: false)
                : try await backend.execute(commands, hasScripts: false)
            #expect(replies == [.simpleString("OK")])
        } catch {
            Issue.record(error)
        }
        await server.stop()
        await backend.close()
    }

    @Test("a store that is not there at the start is thrown")
    func noStore() async throws {
        let server = try await RedisServer.start()
        await server.stop()
        let error = await #expect(throws: CacheError.self) {
            try await Endpoint.serving(server.url) { _ in }
        }
        #expect(error?.code == .storeUnavailable)
    }

    @Test("a Redis whose snapshot failed is read from")
    func failedSnapshot() async throws {
        let server = try await RedisServer.start()
        try server.command("SET k v")
        try await server.failSnapshot()
        try await Endpoint.serving(server.url) { endpoint in
            #expect(try await endpoint.ask(.POST, "/", #"["GET","k"]"#).body == #"{"result":"v"}"#)
            let refusal = try await endpoint.ask(.POST, "/", #"["SET","k","w"]"#)
            #expect(refusal.error?.hasPrefix("MISCONF ") == true)
        }
    }

    @Test("a command that is too large is refused with its size; beside others, alone")
    func largeCommand() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxCommandBytes = 100
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            let large = String(repeating: "x", count: 100)
            let error = "ERR max request size exceeded. Limit: 100 bytes, Actual: 104 bytes"
            let single = try await endpoint.ask(.POST, "/", "[\"SET\",\"k\",\"\(large)\"]")
            #expect(single.status == 413)
            #expect(single.error == error)
            #expect(try await endpoint.ask(.POST, "/set/k", large).error == error)
            let pipeline = try await endpoint.ask(.POST, "/pipeline", "[[\"SET\",\"k\",\"\(large)\"],[\"PING\"]]")
            #expect(pipeline.status == 200)
            #expect(pipeline.body == "[{\"error\":\"\(error)\"},{\"result\":\"PONG\"}]")
            let transaction = try await endpoint.ask(.POST, "/multi-exec", "[[\"PING\"],[\"SET\",\"k\",\"\(large)\"]]")
            #expect(transaction.error == error)
        }
    }

    @Test("a command is measured as it is stored: what is not UTF-8 grows to three bytes")
    func repairedCommand() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxCommandBytes = 100
        try await Endpoint.serving("memory://", limits: limits) { endpoint in
            var body = ByteBuffer(string: #"[["SET","k",""#)
            body.writeRepeatingByte(0xFF, count: 60)
            body.writeString(#""]]"#)
            let answer = try await endpoint.ask(.POST, "/pipeline", body)
            #expect(answer.body.contains("Limit: 100 bytes, Actual: 184 bytes"), "\(answer.body)")
        }
    }

    @Test("a slow reader that has closed its own side gets a long answer to its end")
    func halfClosed() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            // More than the buffers on the way take.
            let value = ByteBuffer(repeating: UInt8(ascii: "x"), count: 10_000_000)
            #expect(try await endpoint.ask(.POST, "/set/k", value).status == 200)
            let reader = try await RawConnection(port: endpoint.port, isSlow: true)
            try await reader.send(
                "GET /get/k HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Endpoint.token)\r\n\r\n"
            )
            reader.readOnce()
            #expect(await reader.receives("200 OK"))
            try await reader.closeOutput()
            // Longer than an answer may take to come.
            try await reader.read(in: .milliseconds(600))
            #expect(await eventually { reader.isClosed })
            #expect(reader.byteCount > value.readableBytes)
            #expect(reader.received.hasSuffix("x\"}"))
        }
    }

    @Test("a result that is too large is an error, and the others stay", arguments: [[:], base64, resp2])
    func largeResult(headers: HTTPHeaders) async throws {
        var limits = UpstashEndpointLimits()
        limits.maxCommandBytes = 100
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            for _ in 0..<2 {
                _ = try await endpoint.ask(.POST, "/append/k", String(repeating: "x", count: 90))
            }
            let answer = try await endpoint.ask(.POST, "/pipeline", #"[["GET","k"],["STRLEN","k"]]"#, headers: headers)
            #expect(answer.status == 200)
            #expect(answer.body.contains("ERR max request size exceeded. Limit: 100 bytes, Actual: "))
            #expect(!answer.body.contains("xxx"))
            #expect(answer.body.contains("180"))
            #expect(try await endpoint.ask(.GET, "/get/k").status == 200)
        }
    }

    @Test("errors have the limits of results", arguments: [[:], base64, resp2])
    func largeError(headers: HTTPHeaders) async throws {
        var limits = UpstashEndpointLimits()
        limits.maxCommandBytes = 1000
        limits.maxAnswerBytes = 5000
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            func script(_ count: Int) -> String { "\"EVAL\",\"return {err='E '..string.rep('x',\(count))}\",0" }
            let large = try await endpoint.ask(.POST, "/", "[\(script(2000))]", headers: headers)
            #expect(large.status == 400)
            #expect(large.body.contains("ERR max request size exceeded. Limit: 1000 bytes, Actual: 2002 bytes"))
            let many = Array(repeating: "[\(script(900))]", count: 10).joined(separator: ",")
            let answer = try await endpoint.ask(.POST, "/pipeline", "[\(many)]", headers: headers)
            #expect(answer.status == 200)
            #expect(answer.body.components(separatedBy: "E xxx").count == 6)
            #expect(answer.body.components(separatedBy: "Limit: 5000 bytes, Actual: ").count == 6)
        }
    }

    @Test("what was taken can be read, however long it is once written", arguments: [[:], base64, resp2])
    func readable(headers: HTTPHeaders) async throws {
        var limits = UpstashEndpointLimits()
        limits.maxCommandBytes = 100
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            let value = String(repeating: "\u{1}", count: 96)
            #expect(try await endpoint.ask(.POST, "/set/k", value).status == 200)
            let answer = try await endpoint.ask(.GET, "/get/k", headers: headers)
            #expect(answer.status == 200)
            #expect(!answer.body.contains("ERR"), "\(answer.body)")
            _ = try await endpoint.ask(.POST, "/append/k", "12345")
            let larger = try await endpoint.ask(.GET, "/get/k", headers: headers)
            #expect(larger.body.contains("ERR max request size exceeded. Limit: 100 bytes, Actual: 101 bytes"))
        }
    }

    @Test("bodies, headers and numbers of commands have limits")
    func requests() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxBodyBytes = 1000
        limits.maxCommands = 3
        try await Endpoint.serving("memory://", limits: limits) { endpoint in
            let large = try await endpoint.ask(.POST, "/", String(repeating: " ", count: 1001))
            #expect(large.status == 413)
            #expect(large.error == "ERR max request size exceeded. Limit: 1000 bytes")
            let many = try await endpoint.ask(.POST, "/pipeline", #"[["PING"],["PING"],["PING"],["PING"]]"#)
            #expect(many.status == 400)
            #expect(many.error == "ERR more than 3 commands")
            let header = String(repeating: "x", count: 140_000)
            for head in ["GET /ping HTTP/1.1\r\nHost: x\r\nX-Large: \(header)", "GET /get/\(header) HTTP/1.1"] {
                let connection = try await RawConnection(port: endpoint.port)
                try await connection.send("\(head)\r\n\r\n")
                #expect(await eventually { connection.isClosed })
                #expect(connection.received.hasPrefix("HTTP/1.1 431 "))
                let error = #"{"error":"ERR max size of URL and headers exceeded. Limit: 131072 bytes"#
                #expect(connection.received.contains(error))
            }
            #expect(try await endpoint.ask(.GET, "/ping").status == 200)
        }
    }

    @Test("who sends a large body to its end reads why it was refused", arguments: [false, true])
    func blindSender(isChunked: Bool) async throws {
        var limits = UpstashEndpointLimits()
        limits.maxBodyBytes = 1000
        try await Endpoint.serving("memory://", limits: limits) { endpoint in
            let count = 8 << 20
            let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(count)"
            let head = "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Endpoint.token)\r\n\(length)\r\n\r\n"
            // More than the buffers on the way take.
            let body = String(repeating: "x", count: count)
            let request = head + (isChunked ? "\(String(count, radix: 16))\r\n\(body)\r\n0\r\n\r\n" : body)
            let answer = LoopbackSocket.converse([request], port: endpoint.port, patience: 20)
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
            #expect(answer.contains("ERR max request size exceeded. Limit: 1000 bytes"))
        }
    }

    @Test("a key of 32 KB has room in a path, however it is escaped")
    func longKey() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            let key = String(repeating: "%C3%B1", count: 16_384)
            for (path, result) in [("/set/\(key)/v", "OK"), ("/get/\(key)", "v")] {
                let answer = try await endpoint.ask(.GET, path)
                #expect(answer.body == "{\"result\":\"\(result)\"}")
            }
        }
    }

    @Test("a client that waits for leave to send its body gets it")
    func expectation() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            let client = try await RawConnection(port: endpoint.port)
            let authorization = "Authorization: Bearer \(Endpoint.token)\r\n"
            let head = "POST /set/k HTTP/1.1\r\nHost: x\r\n\(authorization)Content-Length: 5\r\n"
            for _ in 0..<2 {
                try await client.send("\(head)Expect: 100-continue\r\n\r\n")
                #expect(await client.receives("HTTP/1.1 100 Continue\r\n\r\n"))
                try await client.send("value")
                #expect(await client.receives(#"{"result":"OK"}"#))
                client.forget()
            }
            await client.close()
        }
    }

    @Test("the connection of a client of HTTP/1.0 ends with its answer, which has no chunks")
    func oldClients() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let client = try await RawConnection(port: endpoint.port)
            let token = "Authorization: Bearer \(Endpoint.token)\r\n"
            let request = "POST /set/k HTTP/1.0\r\n\(token)Content-Length: 1\r\nExpect: 100-continue\r\n"
            try await client.send("\(request)Connection: keep-alive\r\n\r\nv")
            #expect(await eventually { client.isClosed })
            #expect(client.received.hasPrefix("HTTP/1.0 200 OK\r\n"))
            #expect(client.received.lowercased().contains("\r\nconnection: close\r\n"))
            #expect(client.received.hasSuffix("\r\n\r\n{\"result\":\"OK\"}"))

            let reader = try await RawConnection(port: endpoint.port)
            try await reader.send("GET /subscribe/c HTTP/1.0\r\n\(token)\r\n")
            #expect(await reader.receives("\r\n\r\ndata: subscribe,c,1\n\n"))
            await reader.close()
        }
    }

    @Test("who offers another protocol is answered, and the connection ends: nothing behind it would be read")
    func otherProtocol() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            let client = try await RawConnection(port: endpoint.port)
            let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
            let authorization = "Authorization: Bearer \(Endpoint.token)\r\n"
            try await client.send("GET /ping HTTP/1.1\r\nHost: x\r\n\(offer)\(authorization)\r\n")
            #expect(await client.receives(#"{"result":"PONG"}"#))
            #expect(client.received.lowercased().contains("connection: close"))
            #expect(await eventually { client.isClosed })
        }
    }

    @Test("an upload that its client breaks off is no error of the endpoint")
    func brokenOff() async throws {
        let logs = RecordedLogs()
        try await Endpoint.serving("memory://", logger: logs.logger) { endpoint in
            let client = try await RawConnection(port: endpoint.port)
            let authorization = "Authorization: Bearer \(Endpoint.token)\r\n"
            try await client.send("POST /set/k HTTP/1.1\r\nHost: x\r\n\(authorization)Content-Length: 50\r\n\r\nhalf")
            await client.close()
            #expect(await eventually { logs.entries.contains { $0.message == "a request broke off" } })
            #expect(!logs.entries.contains { $0.level >= .warning })
            #expect(try await endpoint.ask(.GET, "/exists/k").body == #"{"result":0}"#)
        }
    }

    @Test("of a body that turns out to be too large no part is taken for it")
    func tooLargeInChunks() async throws {
        let logs = RecordedLogs()
        var limits = UpstashEndpointLimits()
        limits.maxBodyBytes = 10
        try await Endpoint.serving("memory://", limits: limits, logger: logs.logger) { endpoint in
            let client = try await RawConnection(port: endpoint.port)
            let authorization = "Authorization: Bearer \(Endpoint.token)\r\n"
            let head = "POST /set/k HTTP/1.1\r\nHost: x\r\n\(authorization)Transfer-Encoding: chunked\r\n\r\n"
            try await client.send("\(head)3\r\nabc\r\n8\r\ndefghijk\r\n0\r\n\r\n")
            #expect(await client.receives("HTTP/1.1 413 "))
            #expect(await eventually { logs.entries.contains { $0.message == "a request broke off" } })
            #expect(try await endpoint.ask(.GET, "/exists/k").body == #"{"result":0}"#)
        }
    }

    @Test("of a body whose rest comes too late while the endpoint drains no part is taken for it")
    func tooLateForDrain() async throws {
        let server = try await RedisServer.start()
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let logger = RecordedLogs().logger
        let endpoint = try await buildUpstashEndpoint(
            configuration: UpstashEndpointConfiguration(
                store: StoreLocation(url: server.url, origin: .flag),
                token: Endpoint.token,
                port: 0
            ),
            logger: logger,
            onReady: { listening.yield($0) }
        )
        let group = ServiceGroup(services: [endpoint], logger: logger)
        async let running: Void = group.run()
        let port = try #require(await ports.first { _ in true })
        let client = try await RawConnection(port: port, sendsOn: true)
        let authorization = "Authorization: Bearer \(Endpoint.token)\r\n"
        let head = "POST /set/k HTTP/1.1\r\nHost: x\r\n\(authorization)Content-Length: 10\r\n"
        try await client.send("\(head)Expect: 100-continue\r\n\r\n")
        #expect(await client.receives("HTTP/1.1 100 Continue\r\n\r\n"))
        try await client.send("abc")
        await group.triggerGracefulShutdown()
        #expect(await client.receives("HTTP/1.1 502 "))
        try await client.send("defghij")
        await client.close()
        try await running
        #expect(try server.command("EXISTS k") == ":0\r\n")
        await server.stop()
    }

    @Test("a request whose body cannot be read has one answer", arguments: [("DELETE /", 405), ("POST /", 400)])
    func unreadableBody(target: String, status: Int) async throws {
        try await Endpoint.serving("memory://") { endpoint in
            let client = try await RawConnection(port: endpoint.port)
            let head = "HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Endpoint.token)\r\n"
            let broken = "\(target) \(head)Transfer-Encoding: chunked\r\n\r\nzz\r\n"
            try await client.send("GET /ping \(head)\r\n\(broken)GET /ping \(head)\r\n")
            #expect(await eventually { client.isClosed })
            let statuses = client.received.matches(of: /HTTP\/1\.1 (\d+)/).map { Int($0.1) }
            #expect(statuses == [200, status])
        }
    }

    @Test("arguments are counted while they are read, over all commands of a request")
    func manyArguments() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxArguments = 6
        try await Endpoint.serving("memory://", limits: limits) { endpoint in
            let three = #"["EXISTS","a","b"]"#
            #expect(try await endpoint.ask(.POST, "/pipeline", "[\(three),\(three)]").status == 200)
            for (path, body) in [
                ("/pipeline", "[\(three),\(three),[\"PING\"]]"), ("/", #"["EXISTS","a","b","c","d","e","f"]"#),
                // What follows is not looked at.
                ("/", #"["EXISTS",1,2,3,4,5,6,{"# + String(repeating: "[", count: 10_000)),
            ] {
                let answer = try await endpoint.ask(.POST, path, body)
                #expect(answer.status == 400)
                #expect(answer.error == "ERR more than 6 arguments")
            }
        }
    }

    @Test("all bodies under way together have a limit, and their room is free again afterwards")
    func bodiesInAll() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxBytesInFlight = 10_000
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            let authorization = "Authorization: Bearer \(Endpoint.token)\r\n"
            let head = "POST /set/k HTTP/1.1\r\nHost: x\r\n\(authorization)Content-Length: 8001\r\n\r\n"
            func sendSlowly() async throws -> RawConnection {
                let slow = try await RawConnection(port: endpoint.port)
                try await slow.send(head + String(repeating: "x", count: 8000))
                return slow
            }
            var slow = try await sendSlowly()
            let body = String(repeating: "y", count: 4000)
            let isFull = try await eventually {
                // What asks for the state takes room, too, and may have come first.
                if slow.received.contains(" 503 ") { slow = try await sendSlowly() }
                return try await endpoint.ask(.POST, "/set/l", body).status == 503
            }
            #expect(isFull)
            let refused = try await endpoint.ask(.POST, "/set/l", body)
            #expect(refused.error == "ERR too much is under way; send less at a time")
            #expect(refused["Retry-After"] == "1")
            #expect(try await endpoint.ask(.POST, "/set/l", "small").status == 200)
            try await slow.send("x")
            #expect(await slow.receives(#"{"result":"OK"}"#))
            #expect(try await endpoint.ask(.POST, "/set/l", body).body == #"{"result":"OK"}"#)
            // Results count, too; what was run for them is not denied.
            let results = try await endpoint.ask(
                .POST,
                "/pipeline",
                #"[["GET","l"],["GET","l"],["GET","l"],["APPEND","l","y"]]"#
            )
            #expect(results.status == 200)
            let end = #"{"error":"ERR no room for the answer now; the command was run"},{"result":4001}]"#
            #expect(results.body.hasSuffix(end), "\(results.body.suffix(200))")
            await slow.close()
        }
    }

    @Test("an answer has a limit: beyond it results are errors, and every command was run")
    func longAnswers() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxAnswerBytes = 50_000
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            _ = try await endpoint.ask(.POST, "/set/k", String(repeating: "x", count: 1000))
            let pair = #"["GET","k"],["INCR","n"]"#
            let pairs = Array(repeating: pair, count: 500).joined(separator: ",")
            for headers in [HTTPHeaders(), resp2] {
                _ = try await endpoint.ask(.GET, "/del/n")
                let answer = try await endpoint.ask(.POST, "/pipeline", "[\(pairs)]", headers: headers)
                #expect(answer.status == 200)
                #expect(answer.body.contains("ERR max request size exceeded. Limit: 50000 bytes, Actual: "))
                #expect((40_000...200_000).contains(answer.body.utf8.count), "\(answer.body.utf8.count)")
                #expect(try await endpoint.ask(.GET, "/get/n").body == #"{"result":"500"}"#)
            }
        }
    }

    @Test("long pipelines are answered in order, whatever the pieces are in which they run")
    func longPipelines() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let commands = (0..<5000).map { "[\"ECHO\",\($0)]" }.joined(separator: ",")
            let answer = try await endpoint.ask(.POST, "/pipeline", "[\(commands)]")
            let expected = (0..<5000).map { "{\"result\":\"\($0)\"}" }.joined(separator: ",")
            #expect(answer.body == "[\(expected)]")
        }
    }

    @Test(
        "what a script makes up is 400, for it was run",
        arguments: ["BUSY held", "READONLY locked", "TRYAGAIN later"]
    )
    func madeUp(error: String) async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let script = "redis.call('INCR',KEYS[1]) return redis.error_reply(ARGV[1])"
            let answer = try await endpoint.ask(.POST, "/", "[\"EVAL\",\"\(script)\",1,\"n\",\"\(error)\"]")
            #expect(answer.status == 400)
            #expect(answer.error == error)
            #expect(try await endpoint.ask(.GET, "/get/n").body == #"{"result":"1"}"#)
        }
    }

    @Test("errors of a server that will soon take commands again are 503, those of a command 400")
    func transient() async throws {
        try await Endpoint.overRedis { endpoint, server in
            let primary = try await RedisServer.start()
            try server.command("REPLICAOF 127.0.0.1 \(primary.port)")
            let body = #"["SET","k","v"]"#
            for (path, body) in [("/", body), ("/multi-exec", "[\(body)]")] {
                let answer = try await endpoint.ask(.POST, path, body)
                #expect(answer.status == 503)
                #expect(answer.error?.hasPrefix("READONLY ") == true, "\(answer.body)")
                #expect(answer["Retry-After"] == "1")
            }
            let beside = try await endpoint.ask(.POST, "/pipeline", "[\(body),[\"PING\"]]")
            #expect(beside.status == 200)
            #expect(beside.body.hasPrefix(#"[{"error":"READONLY "#))
            await primary.stop()
            try server.command("CONFIG SET replica-serve-stale-data no")
            for (path, body) in [("/", #"["GET","k"]"#), ("/multi-exec", #"[["GET","k"]]"#)] {
                var answer = try await endpoint.ask(.POST, path, body)
                _ = try await eventually {
                    answer = try await endpoint.ask(.POST, path, body)
                    return answer.status == 503
                }
                #expect(answer.error?.hasPrefix("MASTERDOWN ") == true, "\(answer.body)")
            }
            try server.command("REPLICAOF NO ONE")
            #expect(try await endpoint.ask(.POST, "/multi-exec", "[\(body)]").body == #"[{"result":"OK"}]"#)
        }
    }

    @Test("more requests than are allowed at a time get 503")
    func overload() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxConcurrentRequests = 0
        try await Endpoint.serving("memory://", limits: limits) { endpoint in
            let answer = try await endpoint.ask(.GET, "/ping")
            #expect(answer.status == 503)
            #expect(answer.error == "ERR too many requests are under way")
        }
    }

    @Test("every mistake of a configuration is reported, and no token with it")
    func configuration() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try UpstashEndpointConfiguration(
                store: StoreLocation(url: "https://x?_token=secret", origin: .flag),
                token: "with space",
                readOnlyToken: "",
                host: "",
                port: 70_000
            )
        }
        #expect(error?.problems.map(\.origin) == ["--store", "--token", "--read-only-token", "--host", "--port"])
        #expect(error?.description.contains("secret") == false)
        #expect(error?.description.contains("with space") == false)
        let same = #expect(throws: ConfigurationError.self) {
            try UpstashEndpointConfiguration(store: .memory, token: "a", readOnlyToken: "a")
        }
        #expect(same?.problems.count == 1)
        #expect(throws: ConfigurationError.self) { try UpstashEndpointConfiguration(store: .memory, token: nil) }
    }
}
