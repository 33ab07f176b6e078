import HummingbirdCore
import Logging
import NIOCore

/// Serves connections of HTTP/1.1, and gives up what a client has asked for once its connection is closed.
struct ClientConnections: ServerChildChannel {
    private let connections: HTTP1Channel

    init(_ connections: HTTP1Channel) { self.connections = connections }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        connections.setup(channel: channel, logger: logger)
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await connections.handle(value: value, logger: logger) }
            group.addTask { try? await value.channel.closeFuture.get() }
            await group.next()
            group.cancelAll()
        }
    }
}
