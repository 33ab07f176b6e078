import NIOCore
import RESP
import RedisClient
import TestSupport

/// What the tests of this target share.
extension RedisClient {
    /// Patient, because test machines are busy.
    static func configuration(port: Int) -> Configuration {
        var configuration = Configuration(host: "127.0.0.1", port: port)
        configuration.commandTimeout = .seconds(20)
        configuration.connectTimeout = .seconds(20)
        // Scripted servers answer what it asks out of turn.
        configuration.keepAliveInterval = .seconds(60)
        configuration.reconnectBackoff = .milliseconds(2)...Duration.milliseconds(50)
        return configuration
    }

    convenience init(_ server: RedisServer, _ change: (inout Configuration) -> Void = { _ in }) {
        self.init(port: server.port, change)
    }

    convenience init(port: Int, _ change: (inout Configuration) -> Void = { _ in }) {
        var configuration = Self.configuration(port: port)
        change(&configuration)
        self.init(configuration)
    }
}

func clientError(_ body: () async throws -> some Any) async throws -> RedisClientError? { try await thrown(by: body) }
