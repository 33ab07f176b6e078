import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing

@Suite("Slow readers")
struct SlowReaderTests {
    /// More than the system takes for a connection.
    private static let json = "\"\(String(repeating: "x", count: 24 << 20))\""

    @Test("who is told to stop ends when its answers are read", arguments: [true, false], [true, false])
    func drain(isBegun: Bool, keepsAlive: Bool) async throws {
        let folder = try ServeTests.folder()
        let source = try await SlowSource.start()
        try folder.write(
            "fields: { slow: { ttl: 1m, source: { http: { url: \(source.url) } } } }",
            to: "freshet.yaml"
        )
        let service = try FreshetProcess(["serve", "--port", "0"], directory: folder.url)
        let url = try #require(await service.ready())
        let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
        let reader = try await Reader.connect(to: port)
        reader.ask("/api/fields/slow", keepsAlive: keepsAlive)
        #expect(await eventually { source.isAsked })
        if isBegun { source.answer(Self.json) }
        if isBegun { try await reader.readFirst() }
        service.terminate()
        #expect(await eventually { (try? await HTTPAnswer(.GET, "\(url)/healthz")) == nil })
        if !isBegun { source.answer(Self.json) }
        if !isBegun { try await reader.readFirst() }
        let bytes = try await reader.readRest()
        #expect(bytes > Self.json.utf8.count)
        #expect(await service.exitCode() == 0)
    }

    /// A client that reads when it is told to.
    private final class Reader: Sendable {
        private let channel: any Channel
        private let bytes: NIOLockedValueBox<Int>

        private init(_ channel: any Channel, _ bytes: NIOLockedValueBox<Int>) {
            (self.channel, self.bytes) = (channel, bytes)
        }

        static func connect(to port: Int) async throws -> Reader {
            let bytes = NIOLockedValueBox(0)
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.autoRead, value: false)
                .channelOption(.socketOption(.so_rcvbuf), value: 1 << 16)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Count(bytes))
                    }
                }
                .connect(host: "127.0.0.1", port: port)
                .get()
            return Reader(channel, bytes)
        }

        func ask(_ path: String, keepsAlive: Bool) {
            let connection = keepsAlive ? "" : "Connection: close\r\n"
            let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(connection)\r\n"
            channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
        }

        func readFirst() async throws {
            channel.read()
            try #require(await eventually { self.bytes.withLockedValue { $0 > 0 } })
        }

        /// - Returns: how many bytes came in all until the connection was closed.
        func readRest() async throws -> Int {
            try await channel.setOption(.autoRead, value: true).get()
            try? await channel.closeFuture.get()
            return bytes.withLockedValue { $0 }
        }

        private final class Count: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            private let bytes: NIOLockedValueBox<Int>

            init(_ bytes: NIOLockedValueBox<Int>) { self.bytes = bytes }

            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let count = unwrapInboundIn(data).readableBytes
                bytes.withLockedValue { $0 += count }
            }
        }
    }
}
