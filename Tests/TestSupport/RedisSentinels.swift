import Foundation

/// A primary, two replicas and three sentinels that watch them, all real and of the test's own.
public final class RedisSentinels: Sendable {
    public static let primaryName = "main"

    public let servers: [RedisServer]
    public let sentinels: [RedisServer]

    /// - Parameters:
    ///   - serverPassword: asked for by primary and replica.
    ///   - sentinelPassword: asked for by the sentinels.
    public static func start(serverPassword: String, sentinelPassword: String) async throws -> RedisSentinels {
        let secured = [
            "--requirepass", serverPassword, "--masterauth", serverPassword, "--repl-diskless-sync-delay", "0",
        ]
        // Once it is no primary any longer it is not to be one again, so that a test knows who comes next.
        let primary = try await RedisServer.start(arguments: secured + ["--replica-priority", "0"])
        var servers = [primary]
        for _ in 0..<2 {
            servers.append(
                try await RedisServer.start(arguments: secured + ["--replicaof", "127.0.0.1 \(primary.port)"])
            )
        }
        let settings = """
            sentinel monitor \(primaryName) 127.0.0.1 \(primary.port) 2
            sentinel auth-pass \(primaryName) \(serverPassword)
            sentinel down-after-milliseconds \(primaryName) 1500
            sentinel failover-timeout \(primaryName) 3000
            sentinel sentinel-pass \(sentinelPassword)
            requirepass \(sentinelPassword)

            """
        var sentinels: [RedisServer] = []
        for _ in 0..<3 { sentinels.append(try await RedisServer.start(sentinel: settings)) }
        let all = RedisSentinels(servers: servers, sentinels: sentinels)
        for sentinel in sentinels {
            var view = ""
            // More of either there may be for a while, if one had to be started twice.
            let isReady = await eventually {
                view = (try? sentinel.command("SENTINEL MASTER \(primaryName)", password: sentinelPassword)) ?? view
                return number("num-slaves", in: view) >= 2 && number("num-other-sentinels", in: view) >= 2
            }
            guard isReady else {
                throw RedisServer.StartError(description: "The sentinels did not find each other. \(view)")
            }
        }
        return all
    }

    /// A field of a reply that is a flat list of names and values.
    private static func number(_ field: String, in reply: String) -> Int {
        let lines = reply.split(whereSeparator: \.isNewline)
        guard let index = lines.firstIndex(of: Substring(field)), index + 2 < lines.count else { return 0 }
        return Int(lines[index + 2]) ?? 0
    }

    private init(servers: [RedisServer], sentinels: [RedisServer]) {
        self.servers = servers
        self.sentinels = sentinels
    }
}
