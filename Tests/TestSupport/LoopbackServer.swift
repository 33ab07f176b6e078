public import NIOCore
import NIOPosix

/// A server on the loopback interface, on a port that is free.
///
/// - Parameter addHandlers: to the pipeline of each connection, on its event loop. Where none are added, connections are
///   taken, and nothing is said on them.
public func listenOnLoopback(
    _ addHandlers: @escaping @Sendable (any Channel) throws -> Void = { _ in }
) async throws -> any Channel {
    try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try addHandlers(channel) }
        }
        .bind(host: "127.0.0.1", port: 0)
        .get()
}
