import Freshet
import HTTPTypes
import Logging
import RESP
import RedisClient

/// Runs commands on a Redis, a cluster or a primary that sentinels watch: over shared connections, transactions over
/// connections of their own.
final class UpstashRedisBackend: UpstashBackend {
    private let client: RedisClient
    private let limits: UpstashEndpointLimits
    private let scripts = UpstashScripts()

    init(url: String, limits: UpstashEndpointLimits, logger: Logger) throws {
        var configuration = try RedisClient.Configuration(url: url)
        configuration.clientName = "freshet-upstash"
        // The shapes that go into answers are those of RESP2.
        configuration.version = .resp2
        configuration.connectTimeout = .seconds(4)
        configuration.commandTimeout = limits.commandTimeout
        configuration.reconnectBackoff = .milliseconds(20)...(.seconds(1))
        configuration.maxLeasedConnections = limits.maxTransactions
        client = RedisClient(configuration, logger: logger)
        self.limits = limits
    }

    func connect() async throws {
        do {
            try await client.connect()
            try await client.execute(RESPCommand("PING"), timeout: .seconds(4))
        } catch let error as RESPError where error.code == .misconfigured {
            // A server whose snapshot failed refuses this as it does writes, and answers reads.
        } catch {
            throw CacheError(.storeUnavailable, "store: \(error)", underlying: error)
        }
    }

    /// Returns when there is a server; what it answers does not matter.
    ///
    /// - Throws: ``UpstashRefusal`` after ``UpstashEndpointLimits/reconnectWait``.
    private func waitForServer() async throws {
        guard !client.isConnected else { return }
        do {
            try await client.execute(RESPCommand("PING"), timeout: limits.reconnectWait)
        } catch is RESPError {
        } catch {
            throw UpstashRefusal.noRedis(error)
        }
    }

    func execute(_ commands: [RESPCommand], hasScripts: Bool) async throws -> [RESPValue] {
        guard hasScripts else { return try await send(commands) }
        return scripts.replies(try await send(commands.map(scripts.forRedis)), to: commands)
    }

    private func send(_ commands: [RESPCommand]) async throws -> [RESPValue] {
        try await waitForServer()
        do {
            if commands.count == 1 { return [try await client.execute(commands[0])] }
            return try await client.execute(pipeline: commands)
        } catch let error as RESPError {
            return [.error(error)]
        } catch let error as RedisClientError {
            guard let refusal = error.refusal(of: commands) else { throw UpstashRefusal(error) }
            if commands.count == 1 { return [.error(refusal)] }
            // Nothing was sent. The ones that cannot be must not take the others with them.
            let half = commands.count / 2
            let first = try await send(Array(commands[..<half]))
            do {
                return first + (try await send(Array(commands[half...])))
            } catch let refusal as UpstashRefusal {
                throw refusal.afterwards
            }
        }
    }

    func transaction(_ commands: [RESPCommand], hasScripts: Bool) async throws -> [RESPValue] {
        try await waitForServer()
        do {
            let sent = hasScripts ? commands.map(scripts.forRedis) : commands
            let replies = try await client.execute(transaction: sent, timeout: limits.commandTimeout)
            return hasScripts ? scripts.replies(replies, to: commands) : replies
        } catch let error as RESPError {
            throw UpstashRefusal(error)
        } catch let error as RedisClientError {
            throw error.refusal(of: commands).map { UpstashRefusal($0) } ?? UpstashRefusal(error)
        }
    }

    func subscribe(_ events: UpstashEvents) async throws -> RedisSubscription {
        try await waitForServer()
        return try await translated {
            switch events {
            case .channels(let names): try await client.subscribe(to: names)
            case .patterns(let names): try await client.psubscribe(to: names)
            case .monitor: throw UpstashRefusal.notInREST(events.command)
            }
        }
    }

    func monitor() async throws -> AsyncStream<String> {
        try await waitForServer()
        return try await translated { try await client.monitor() }
    }

    private func translated<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as RESPError {
            throw UpstashRefusal(error)
        } catch let error as RedisClientError {
            throw error.refusal(of: [RESPCommand("MONITOR")]).map { UpstashRefusal($0) } ?? UpstashRefusal(error)
        }
    }

    func close() async {
        await client.close()
    }
}

extension RedisClientError {
    /// The error of commands that the client did not send, because of what they are; nil for everything else.
    fileprivate func refusal(of commands: [RESPCommand]) -> RESPError? {
        switch code {
        case .crossSlot: RESPError("CROSSSLOT Keys in request don't hash to the same slot")
        case .unsupportedCommand where commands.count == 1:
            RESPError(UpstashRefusal.notAvailable(commands[0].name).text)
        case .unsupportedCommand: RESPError("ERR \(message)")
        default: nil
        }
    }
}

extension UpstashRefusal {
    fileprivate init(_ error: RedisClientError) {
        let status: HTTPResponse.Status =
            switch (error.mayHaveExecuted, error.code) {
            case (false, _): .serviceUnavailable
            case (true, .timedOut): .gatewayTimeout
            case (true, _): .badGateway
            }
        self = .noRedis(error, status)
    }

    fileprivate static func noRedis(
        _ error: any Error,
        _ status: HTTPResponse.Status = .serviceUnavailable
    ) -> UpstashRefusal {
        .unavailable("Redis is not available: \(error)", status)
    }
}
