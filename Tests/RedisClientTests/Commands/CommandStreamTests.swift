import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import RESP
import Testing

@testable import RedisClient

@Suite struct CommandStreamTests {
    /// A timer that is due cannot be cancelled by what runs before it. It asked for a sign of life then, among the
    /// commands of the next connection, on which each caller got the reply of the one before.
    @Test func aConnectionThatEndedSendsNothingMore() throws {
        let eventLoop = EmbeddedEventLoop()
        var configuration = RedisClient.configuration(port: 1)
        configuration.version = .resp2
        configuration.keepAliveInterval = .milliseconds(400)
        let node = RedisNode(
            configuration: configuration,
            eventLoop: eventLoop,
            logger: .init(label: "test"),
            isRenewed: false
        )
        let ready = eventLoop.makePromise(of: RESPProtocol.self)
        let connection = ConnectionHandler(handshake: Handshake(configuration), ready: ready)
        let channel = EmbeddedChannel(handler: connection, loop: eventLoop)
        let stream = CommandStream(node: node, connection: connection, eventLoop: eventLoop)
        ready.futureResult.assumeIsolated().whenSuccess { _ in
            _ = node.state.withLockedValue { $0.becomeReady(NIOLoopBound(stream, eventLoop: eventLoop)) }
            connection.report(to: stream)
            stream.start()
        }
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        while channel.isActive, !node.isConnected { try channel.writeInbound(ByteBuffer(string: "+PONG\r\n")) }
        #expect(node.isConnected)

        let deadline = NIODeadline.now()
        eventLoop.scheduleTask(deadline: deadline) {
            connection.close(.clientClosed)
            // As when its handlers are gone.
            channel.isWritable = false
        }
        let waiter = Waiter(token: 1, deadline: deadline, completion: .detached)
        _ = node.state.withLockedValue { $0.submit(RESPCommand("GET", "a"), waiter) }
        stream.drain()
        // So long that a connection would be asked.
        while NIODeadline.now() < deadline + .milliseconds(150) {}
        eventLoop.advanceTime(to: deadline)
        #expect(!node.isConnected)
        var (waiters, bytes): ([Waiter], [ByteBuffer]) = ([], [])
        _ = node.take(withBytes: true, into: &waiters, bytes: &bytes)
        #expect(waiters.isEmpty && bytes.isEmpty)
    }
}
