public import Freshet
import RESP

/// One key a pace, `freshet:pace:` and its name. A server that forgets it, as after a failover, gives the next turn at once.
extension RedisStore: SharedPace {
    /// What the keys begin with.
    private static let prefix = "freshet:pace:"

    /// Whole milliseconds. Turns are given for the next 30 seconds.
    public func turn(_ name: String, every interval: Duration) async throws -> SharedTurn {
        let reply = try await pace(name, PaceScripts.of(dialect).turn, interval).array ?? []
        guard reply.count == 2, let milliseconds = reply[1].integer else { throw Self.unexpected("turn script") }
        let time = Duration.milliseconds(milliseconds)
        switch reply[0].string {
        case "turn": return .after(time)
        case "closed": return .closed(for: time)
        case "full": return .full(for: time)
        default: throw Self.unexpected("turn script")
        }
    }

    public func close(_ name: String, for time: Duration) async throws {
        _ = try await pace(name, PaceScripts.of(dialect).close, time)
    }

    private func pace(_ name: String, _ script: RedisScript, _ time: Duration) async throws -> RESPValue {
        do {
            return try await call {
                try await executor.evaluate(
                    script,
                    keys: [Self.prefix + name],
                    arguments: [Self.milliseconds(time)]
                ).get()
            }
        } catch let error as CacheError where (error.underlying as? RESPError)?.code == .noPermission {
            // Without a `refusal`: the store serves all else, and nobody need be told that it does not.
            let advice = "the user of the store may keep no pace: grant it ~\(Self.prefix)*"
            throw CacheError(.storeRejected, advice, underlying: error.underlying)
        }
    }
}
