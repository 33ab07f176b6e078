import FreshetServer
import NIOCore
import NIOPosix

enum FreePort {
    /// The port if nothing listens there, 0 otherwise.
    static func preferred(_ port: Int, host: String) async -> Int {
        let group = MultiThreadedEventLoopGroup.singleton
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: ServerSettings.bare(host), port: port)
                .get()
            try await channel.close()
            return port
        } catch {
            return 0
        }
    }
}
