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

    /// What a client says of its connection's end.
    enum Leave: CaseIterable {
        case later, behindAnswer, behindRequest, duringAnswer

        /// Who sends no more is not waited for that long.
        static let duringLoad = allCases.filter { $0 != .behindRequest }

        var header: String { self == .behindAnswer ? "Connection: close\r\n" : "" }
    }

    @Test("who is told to stop ends when its answers are read", arguments: [true, false], Leave.duringLoad)
    func drain(isBegun: Bool, leave: Leave) async throws {
        let (service, url, source) = try await ServeTests.slowService()
        let reader = try await Reader.ask(url, leave)
        #expect(await eventually { source.isAsked })
        if isBegun { source.answer(Self.json) }
        if isBegun { try await reader.readFirst() }
        service.terminate()
        #expect(await eventually { (try? await HTTPAnswer(.GET, "\(url)/healthz")) == nil })
        if !isBegun { source.answer(Self.json) }
        if !isBegun { try await reader.readFirst() }
        if leave == .duringAnswer { try await reader.sendNoMore() }
        #expect(try await reader.readRest() > Self.json.utf8.count)
        #expect(await service.exitCode() == 0)
    }

    @Test("who sends no more gets all of an answer", arguments: Leave.allCases.filter { $0 != .later })
    func halfClosed(leave: Leave) async throws {
        let (service, url, source) = try await ServeTests.slowService()
        let first = try await Reader.ask(url, .behindAnswer)
        #expect(await eventually { source.isAsked })
        source.answer(Self.json)
        _ = try await first.readRest()
        let reader = try await Reader.ask(url, leave)
        try await reader.readFirst()
        if leave == .duringAnswer { try await reader.sendNoMore() }
        #expect(try await reader.readRest() > Self.json.utf8.count)
        service.terminate()
        #expect(await service.exitCode() == 0)
    }

    /// A client that reads when it is told to.
    private final class Reader: Sendable {
        private let channel: any Channel
        private let bytes: NIOLockedValueBox<Int>

        private init(_ channel: any Channel, _ bytes: NIOLockedValueBox<Int>) {
            (self.channel, self.bytes) = (channel, bytes)
        }

        static func ask(_ url: String, _ leave: Leave) async throws -> Reader {
            let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
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
            let reader = Reader(channel, bytes)
            let request = "GET /api/fields/slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\(leave.header)\r\n"
            try await channel.writeAndFlush(ByteBuffer(string: request))
            if leave == .behindRequest { try await reader.sendNoMore() }
            return reader
        }

        func sendNoMore() async throws { try await channel.close(mode: .output).get() }

        func readFirst() async throws {
            channel.read()
            try #require(await eventually(within: .seconds(60)) { self.bytes.withLockedValue { $0 > 0 } })
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
