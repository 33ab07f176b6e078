import RedisClient
import Testing

/// What holds between `freshet serve` processes on one redis-server. One test at a time: each starts processes enough.
@Suite("Over processes", .serialized)
enum OverProcesses {}

extension RedisClient {
    /// A program of its own beside the services, which waits: the machine may be busy.
    static func patient(port: Int) -> RedisClient {
        var configuration = RedisClient.Configuration(port: port)
        configuration.commandTimeout = .seconds(30)
        configuration.reconnectBackoff = .milliseconds(5)...(.milliseconds(20))
        return RedisClient(configuration)
    }
}
