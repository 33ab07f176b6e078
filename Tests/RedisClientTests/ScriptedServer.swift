import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP

/// A server that says what a test tells it to, for what a real one does not do. It ends when it is stopped or released.
final class ScriptedServer: Sendable {
    private struct State {
        var accepted = 0
        var links: [any Channel] = []
        var listener: (any Channel)?
    }

    /// The reply to a command as it goes over the wire; `nil` closes the connection.
    typealias Script = @Sendable ([String]) -> String?

    private let state = NIOLockedValueBox(State())

    /// Where clients connect to.
    var port: Int { state.withLockedValue { $0.listener?.localAddress?.port } ?? 0 }
    /// Connections that clients made so far.
    var acceptedCount: Int { state.withLockedValue { $0.accepted } }

    /// - Parameters:
    ///   - greets: whether the server answers handshakes by itself.
    ///   - answersPing: whether it does so to what clients ask once an interval, too.
    ///   - script: asked about all other commands.
    static func start(
        host: String = "127.0.0.1",
        port: Int = 0,
        greets: Bool = true,
        answersPing: Bool = true,
        _ script: @escaping Script
    ) async throws -> ScriptedServer {
        let server = ScriptedServer()
        let state = server.state
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                state.withLockedValue { state in
                    state.accepted += 1
                    state.links.append(channel)
                }
                return channel.eventLoop.makeCompletedFuture {
                    let answerer = Answerer(greets: greets, answersPing: answersPing, script: script)
                    try channel.pipeline.syncOperations.addHandler(answerer)
                }
            }
            .bind(host: host, port: port).get()
        state.withLockedValue { $0.listener = listener }
        return server
    }

    deinit {
        cut()
        state.withLockedValue { $0.listener }?.close(promise: nil)
    }

    /// Says something on all connections that no command asked for.
    func push(_ message: String) {
        for link in state.withLockedValue({ $0.links }) {
            link.writeAndFlush(ByteBuffer(string: message), promise: nil)
        }
    }

    /// Closes all connections.
    func cut() {
        for link in state.withLockedValue({ $0.links }) { link.close(promise: nil) }
    }

    func stop() async throws {
        // In this order: whoever was cut would be let in again.
        try await state.withLockedValue { $0.listener }?.close().get()
        cut()
    }
}

private final class Answerer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let greets: Bool
    private let answersPing: Bool
    private let script: ScriptedServer.Script
    private var decoder = RESPDecoder()

    init(greets: Bool, answersPing: Bool, script: @escaping ScriptedServer.Script) {
        self.greets = greets
        self.answersPing = answersPing
        self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        while let command = try? decoder.next() {
            let words = (command.array ?? []).map { $0.string ?? "" }
            guard let reply = reply(to: words) else {
                return context.close(promise: nil)
            }
            context.channel.writeAndFlush(ByteBuffer(string: reply), promise: nil)
        }
    }

    private func reply(to words: [String]) -> String? {
        if answersPing, words == ["PING"] { return "+PONG\r\n" }
        return (greets ? Self.greeting(words) : nil) ?? script(words)
    }

    private static func greeting(_ words: [String]) -> String? {
        switch words.first {
        case "HELLO": "%0\r\n"
        case "CLIENT" where ["SETINFO", "TRACKING"].contains(words[1]): "+OK\r\n"
        default: nil
        }
    }
}
