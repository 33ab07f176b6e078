import RESP
import RedisClient
import TestSupport

/// One redis-server for the tests of this module that keep to keys of their own, and one client for each protocol.
actor RedisFixture {
    static let shared = RedisFixture()

    private var server: Task<RedisServer, any Error>?
    private var clients: [RESPProtocol: RedisClient] = [:]
    private var cluster: Task<(RedisCluster, RedisClient), any Error>?
    private var sentinels: Task<(RedisSentinels, RedisClient), any Error>?

    func executor(_ version: RESPProtocol) async throws -> RedisClient {
        let server = self.server ?? Task { try await RedisServer.start() }
        self.server = server
        let port = try await server.value.port
        if let client = clients[version] { return client }
        let client = Self.client(port: port, version)
        clients[version] = client
        return client
    }

    /// Three primaries.
    func clusterExecutor() async throws -> RedisClient {
        let task =
            cluster
            ?? Task {
                let cluster = try await RedisCluster.start(replicas: 0)
                return (cluster, try Self.client(url: "redis+cluster://127.0.0.1:\(cluster.servers[1].port)"))
            }
        cluster = task
        return try await task.value.1
    }

    func sentinelExecutor() async throws -> RedisClient {
        let task =
            sentinels
            ?? Task {
                let all = try await RedisSentinels.start(serverPassword: "server", sentinelPassword: "watch")
                return (all, try Self.client(of: all))
            }
        sentinels = task
        return try await task.value.1
    }

    /// - Parameter sentinels: with the passwords `server` and `watch`.
    static func client(of sentinels: RedisSentinels) throws -> RedisClient {
        let hosts = sentinels.sentinels.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        return try client(
            url: "redis+sentinel://:server@\(hosts)/\(RedisSentinels.primaryName)?sentinelPassword=watch"
        )
    }

    static func client(url: String) throws -> RedisClient {
        var configuration = try RedisClient.Configuration(url: url)
        configuration.commandTimeout = .seconds(30)
        return RedisClient(configuration)
    }

    static func client(port: Int, _ version: RESPProtocol = .resp3, isTracking: Bool = false) -> RedisClient {
        var configuration = RedisClient.Configuration(port: port)
        configuration.version = version
        configuration.clientSideCaching = isTracking
        // Tests are not about haste, and the machine may be busy.
        configuration.commandTimeout = .seconds(30)
        return RedisClient(configuration)
    }
}
