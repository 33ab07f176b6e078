import NIOCore
import NIOPosix

enum FreePort {
    /// A port of the loopback interface that nothing listens on.
    static func any() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0)
            .get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }
}
