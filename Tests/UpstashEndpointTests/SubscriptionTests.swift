import NIOCore
import NIOHTTP1
import RESP
import RedisClient
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Streams of messages")
struct SubscriptionTests {
    /// A reader that sends its request itself, so that it can leave at any moment.
    private static func reader(_ endpoint: Endpoint, _ path: String) async throws -> RawConnection {
        let connection = try await RawConnection(port: endpoint.port)
        try await connection.send(
            "POST \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Endpoint.token)\r\n"
                + "Accept: text/event-stream\r\nContent-Length: 0\r\n\r\n"
        )
        return connection
    }

    private static func subscribers(_ endpoint: Endpoint, _ channel: String) async throws -> String {
        try await endpoint.ask(.GET, "/pubsub/numsub/\(channel)").body
    }

    /// Whether nobody listens to `chat` any more.
    private static func isLeft(_ endpoint: Endpoint) async throws -> Bool {
        try await eventually { try await subscribers(endpoint, "chat") == #"{"result":["chat",0]}"# }
    }

    @Test("channels and patterns: the first event comes at once, messages as they are published")
    func messages() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let channels = try await Self.reader(endpoint, "/subscribe/chat/news")
            #expect(await channels.receives("data: subscribe,chat,1\n\ndata: subscribe,news,2\n\n"))
            let repeated = try await Self.reader(endpoint, "/subscribe/a/b/a")
            #expect(await repeated.receives("data: subscribe,a,1\n\ndata: subscribe,b,2\n\ndata: subscribe,a,2\n\n"))
            await repeated.close()
            let accents = try await Self.reader(endpoint, "/subscribe/caf%C3%A9/cafe%CC%81")
            #expect(await accents.receives("data: subscribe,caf\u{e9},1\n\ndata: subscribe,cafe\u{301},2\n\n"))
            #expect(try await endpoint.ask(.POST, "/publish/cafe%CC%81", "hello").body == #"{"result":1}"#)
            #expect(await accents.receives("data: message,cafe\u{301},hello\n\n"))
            await accents.close()
            #expect(channels.received.contains("Content-Type: text/event-stream"))
            #expect(channels.received.lowercased().contains("connection: close"))
            let patterns = try await Self.reader(endpoint, "/psubscribe/ch%2A")
            #expect(await patterns.receives("data: psubscribe,ch*,1\n\n"))
            #expect(try await endpoint.ask(.POST, "/publish/chat", "hello, you").body == #"{"result":2}"#)
            #expect(await channels.receives("data: message,chat,hello, you\n\n"))
            #expect(await patterns.receives("data: pmessage,ch*,chat,hello, you\n\n"))
            _ = try await endpoint.ask(.POST, "/publish/news", "one\ntwo\r\nthree\rfour")
            #expect(await channels.receives("data: message,news,one\ndata: two\ndata: three\ndata: four\n\n"))
            await channels.close()
            await patterns.close()
        }
    }

    @Test("a reader that leaves takes its subscription along")
    func leaving() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            for _ in 0..<5 {
                let reader = try await Self.reader(endpoint, "/subscribe/chat")
                #expect(await reader.receives("data: subscribe,chat,1"))
                #expect(try await Self.subscribers(endpoint, "chat") == #"{"result":["chat",1]}"#)
                await reader.close()
                #expect(try await Self.isLeft(endpoint))
            }
        }
    }

    @Test("a request behind a stream does not hide that the reader leaves")
    func requestBehind() async throws {
        try await Endpoint.overRedis { endpoint, _ in
            let reader = try await Self.reader(endpoint, "/subscribe/chat")
            try await reader.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await reader.receives("data: subscribe,chat,1"))
            await reader.close()
            #expect(try await Self.isLeft(endpoint))
        }
    }

    @Test("monitor tells of every command, on a connection of its own that ends with the reader")
    func monitor() async throws {
        try await Endpoint.overRedis { endpoint, server in
            let reader = try await Self.reader(endpoint, "/monitor")
            #expect(await reader.receives("data: \"OK\"\n\n"))
            #expect(reader.received.contains("Content-Type: text/event-stream"))
            _ = try await endpoint.ask(.POST, "/", #"["SET","k","a\r\n\ndata: b"]"#)
            #expect(await reader.receives(#""SET" "k" "a\r\n\ndata: b""# + "\n\n"))
            // Longer than a line of RESP has to be.
            _ = try await endpoint.ask(.POST, "/set/k", String(repeating: "x", count: 100_000) + "end")
            #expect(await reader.receives("xend\"\n\n"))
            _ = try await endpoint.ask(.GET, "/echo/afterwards")
            #expect(await reader.receives(#""ECHO" "afterwards""#))
            #expect(try Self.monitors(server) == 1)
            await reader.close()
            #expect(try await eventually { try Self.monitors(server) == 0 })
        }
    }

    private static func monitors(_ server: RedisServer) throws -> Int {
        try server.command("CLIENT LIST").split(separator: "\n").count { $0.contains("flags=O ") }
    }

    @Test("HEAD opens no stream, and its connection stays")
    func head() async throws {
        try await Endpoint.overRedis { endpoint, server in
            let asker = try await RawConnection(port: endpoint.port)
            for path in ["/subscribe/chat", "/psubscribe/chat", "/monitor"] {
                asker.forget()
                try await asker.send(
                    "HEAD \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Endpoint.token)\r\n\r\n"
                )
                #expect(await asker.receives("\r\n\r\n"))
                #expect(asker.received.hasPrefix("HTTP/1.1 200 OK"))
                #expect(asker.received.contains("Content-Type: text/event-stream"))
                #expect(!asker.received.lowercased().contains("connection: close"))
                // No end of a stream either, which the next answer would seem to begin with.
                #expect(asker.received.hasSuffix("\r\n\r\n") && !asker.received.contains("\r\n0\r\n"))
            }
            #expect(try server.command("PUBSUB CHANNELS").hasPrefix("*0"))
            #expect(try Self.monitors(server) == 0)
            #expect(try await endpoint.ask(.HEAD, "/subscribe/chat", headers: readOnly).status == 400)
            await asker.close()
        }
    }

    /// Patient, because test machines are busy.
    private static func publisher(_ server: RedisServer) throws -> RedisClient {
        var configuration = try RedisClient.Configuration(url: server.url)
        configuration.commandTimeout = .seconds(30)
        return RedisClient(configuration)
    }

    @Test("what waits for a slow reader has limits: beyond them the stream ends, after whole events")
    func slowReader() async throws {
        var (few, small, full) = (UpstashEndpointLimits(), UpstashEndpointLimits(), UpstashEndpointLimits())
        few.maxWaitingEvents = 10
        small.maxWaitingBytes = 1 << 20
        full.maxWaitingBytesInAll = 1 << 20
        for limits in [few, small, full] {
            try await Endpoint.overRedis(limits: limits) { endpoint, server in
                let reader = try await RawConnection(port: endpoint.port, isSlow: true)
                try await reader.send(
                    "GET /subscribe/c HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Endpoint.token)\r\n\r\n"
                )
                func hasReader() async throws -> Bool {
                    try await Self.subscribers(endpoint, "c") == #"{"result":["c",1]}"#
                }
                #expect(try await eventually { try await hasReader() })
                let publisher = try Self.publisher(server)
                // Far more than the buffers on the way take.
                let message = ByteBuffer(repeating: UInt8(ascii: "x"), count: 200_000)
                for _ in 0..<50 { try await publisher.execute(RESPCommand("PUBLISH", "c", message)) }
                // It is not the reader who makes room.
                #expect(try await eventually { try await !hasReader() })
                // Where the events came faster than the first was written, the end is all there is, and is there already.
                try? await reader.read(in: .zero)
                #expect(await eventually { reader.isClosed })
                #expect(reader.byteCount < 40 * message.readableBytes)
                #expect(reader.received.hasSuffix("\n\n\r\n0\r\n\r\n"))
                await publisher.close()
            }
        }
    }

    @Test("what waits for a slow reader takes no room from requests")
    func slowReaderBesideRequests() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxBytesInFlight = 100_000
        try await Endpoint.overRedis(limits: limits) { endpoint, server in
            let reader = try await RawConnection(port: endpoint.port, isSlow: true)
            try await reader.send(
                "GET /subscribe/c HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Endpoint.token)\r\n\r\n"
            )
            let isThere = try await eventually {
                try await Self.subscribers(endpoint, "c") == #"{"result":["c",1]}"#
            }
            #expect(isThere)
            let publisher = try Self.publisher(server)
            let message = ByteBuffer(repeating: UInt8(ascii: "x"), count: 200_000)
            for _ in 0..<50 { try await publisher.execute(RESPCommand("PUBLISH", "c", message)) }
            let body = String(repeating: "y", count: 40_000)
            #expect(try await endpoint.ask(.POST, "/set/k", body).status == 200)
            #expect(try await endpoint.ask(.GET, "/get/k").status == 200)
            #expect(try await Self.subscribers(endpoint, "c") == #"{"result":["c",1]}"#)
            await reader.close()
            await publisher.close()
        }
    }

    @Test("a store that refuses a subscription says why, and a channel's name is text")
    func refused() async throws {
        try await Endpoint.overRedis { endpoint, server in
            try server.command("ACL SETUSER default resetchannels &open -monitor")
            for (path, command) in [("/subscribe/closed", "NOPERM "), ("/monitor", "NOPERM ")] {
                let answer = try await endpoint.ask(.POST, path)
                #expect(answer.status == 400)
                #expect(answer.error?.hasPrefix(command) == true, "\(answer.body)")
            }
            let open = try await Self.reader(endpoint, "/subscribe/open")
            #expect(await open.receives("data: subscribe,open,1"))
            await open.close()
            let raw = try await Self.reader(endpoint, "/subscribe/%ff")
            #expect(await raw.receives("ERR the name of a channel is not UTF-8"))
            await raw.close()
        }
    }

    @Test("signs of life are comments")
    func heartbeat() async throws {
        var limits = UpstashEndpointLimits()
        limits.heartbeat = .milliseconds(10)
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            let reader = try await Self.reader(endpoint, "/subscribe/chat")
            #expect(await reader.receives(":\n\n"))
            await reader.close()
        }
    }

    @Test("there are so many places, and one that is left is free again")
    func limit() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxSubscriptions = 1
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            let first = try await Self.reader(endpoint, "/subscribe/chat")
            #expect(await first.receives("data: subscribe,chat,1"))
            let second = try await endpoint.ask(.POST, "/subscribe/chat")
            #expect(second.status == 503)
            #expect(second.error == "ERR too many subscriptions are open")
            await first.close()
            let isFree = try await eventually {
                let next = try await Self.reader(endpoint, "/subscribe/chat")
                _ = await eventually { next.received.contains("\r\n\r\n") }
                defer { Task { await next.close() } }
                return next.received.contains("200 OK")
            }
            #expect(isFree)
        }
    }

    @Test("a stream ends when the server goes away, since messages may be missed")
    func serverGone() async throws {
        try await Endpoint.overRedis { endpoint, server in
            let reader = try await Self.reader(endpoint, "/subscribe/chat")
            #expect(await reader.receives("data: subscribe,chat,1"))
            await server.stop()
            #expect(await eventually { reader.isClosed })
        }
    }
}
