import HummingbirdCore
import Logging
import NIOCore
import RedisClient

/// Serves each connection of HTTP/1.1 on its own event loop, which saves two changes of thread a request.
struct EventLoopConnections: ServerChildChannel {
    private let connections: HTTP1Channel

    init(_ connections: HTTP1Channel) { self.connections = connections }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        connections.setup(channel: channel, logger: logger)
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopTaskExecutor(value.channel.eventLoop)) {
            await connections.handle(value: value, logger: logger)
        }
    }
}
