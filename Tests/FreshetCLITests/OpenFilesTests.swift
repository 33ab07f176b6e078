import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@Suite("Open files")
struct OpenFilesTests {
    @Test("however many connections come, and event loops there are, files are left for sources")
    func sources() async throws {
        let folder = try ServeTests.folder()
        let loops = ["NIO_SINGLETON_GROUP_LOOP_COUNT": "16"]
        let service = try FreshetProcess(
            ["serve", "--port", "0"],
            environment: loops,
            directory: folder.url,
            files: 128
        )
        let port = try #require(await service.ready().flatMap { URL(string: $0)?.port })
        let client = try await Client.connect(port)
        #expect(try await client.ask("/healthz").hasSuffix("{\"status\":\"alive\"}"))
        var others: [Client] = []
        for _ in 0..<100 { others.append(try await Client.connect(port)) }
        #expect(try await client.ask("/readyz").hasSuffix("{\"status\":\"ready\"}"))
        #expect(try await client.ask("/api/fields/offices").hasSuffix("[{\"city\":\"Bogotá\"}]"))
        #expect(service.isRunning)
        service.terminate()
        withExtendedLifetime(others) {}
    }

    /// A connection that stays.
    private final class Client: Sendable {
        private let channel: any Channel
        private let answer: NIOLockedValueBox<String>

        private init(_ channel: any Channel, _ answer: NIOLockedValueBox<String>) {
            (self.channel, self.answer) = (channel, answer)
        }

        deinit { channel.close(promise: nil) }

        static func connect(_ port: Int) async throws -> Client {
            let answer = NIOLockedValueBox("")
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Note(answer))
                    }
                }
                .connect(host: "127.0.0.1", port: port)
                .get()
            return Client(channel, answer)
        }

        /// - Returns: an answer that is JSON.
        func ask(_ path: String) async throws -> String {
            answer.withLockedValue { $0 = "" }
            try await channel.writeAndFlush(ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
            #expect(await eventually { answer.withLockedValue { $0.last.map("]}".contains) ?? false } })
            return answer.withLockedValue { $0 }
        }

        private final class Note: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            private let answer: NIOLockedValueBox<String>

            init(_ answer: NIOLockedValueBox<String>) { self.answer = answer }

            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let text = String(buffer: unwrapInboundIn(data))
                answer.withLockedValue { $0 += text }
            }
        }
    }
}
