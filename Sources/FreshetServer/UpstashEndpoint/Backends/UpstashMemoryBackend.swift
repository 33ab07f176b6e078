import Freshet
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Runs what the embedded store can do; everything is lost with the process. Nothing is before: as in Redis, what takes
/// memory is refused once more than the limit is in use.
struct UpstashMemoryBackend: UpstashBackend {
    /// Between sweeps that do not help: each looks at the whole store.
    private static let sweepPause = Duration.seconds(1)

    /// Evicts nothing.
    private let store: MemoryStore
    private let maxBytes: Int
    private let spawner: any Spawner
    private let nextSweep = NIOLockedValueBox(MonotonicInstant.distantPast)

    init(maxBytes: Int, spawner: any Spawner = SystemSpawner()) {
        store = MemoryStore(maxBytes: .max, spawner: spawner)
        self.maxBytes = maxBytes
        self.spawner = spawner
    }

    func connect() async throws {}

    func execute(_ commands: [RESPCommand], hasScripts: Bool) async throws -> [RESPValue] {
        var replies: [RESPValue] = []
        replies.reserveCapacity(commands.count)
        for command in commands { replies.append(await run(command)) }
        return replies
    }

    private func run(_ command: RESPCommand) async -> RESPValue {
        do {
            guard let operation = UpstashMemoryCommand.table[command.name] else { throw Self.missing(command.name) }
            let arguments = command.arguments.map(\.bytes)
            guard operation.arity.contains(arguments.count) else {
                throw RESPError("ERR wrong number of arguments for '\(command.name.lowercased())' command")
            }
            if operation.takesMemory, isFull { throw Self.outOfMemory }
            return try await operation.run(store, arguments)
        } catch let error as RESPError {
            return .error(error)
        } catch let error as CacheError {
            return .error(Self.redisError(error))
        } catch {
            return .error(RESPError("ERR internal error"))
        }
    }

    private var isFull: Bool {
        guard store.bytes > maxBytes else { return false }
        let now = spawner.now()
        guard now >= nextSweep.withLockedValue({ $0 }) else { return true }
        store.sweep()
        guard store.bytes > maxBytes else { return false }
        nextSweep.withLockedValue { $0 = now + Self.sweepPause }
        return true
    }

    private static let outOfMemory = RESPError("OOM command not allowed when used memory > 'maxmemory'.")

    /// The store's refusals in the words of Redis, which programs look for.
    private static func redisError(_ error: CacheError) -> RESPError {
        guard error.code == .storeRejected else { return RESPError("ERR \(error.message)") }
        switch error.message {
        case let message where message.hasPrefix("WRONGTYPE"):
            return RESPError("WRONGTYPE Operation against a key holding the wrong kind of value")
        case let message where message.hasSuffix("not an integer or out of range"):
            return RESPError("ERR value is not an integer or out of range")
        case let message where message.hasSuffix("would overflow"):
            return RESPError("ERR increment or decrement would overflow")
        case let message: return RESPError(message)
        }
    }

    private static func missing(_ name: String) -> RESPError {
        RESPError("ERR memory:// has no \(name.prefix(64)); run the endpoint with --store redis://… for all commands")
    }

    func transaction(_ commands: [RESPCommand], hasScripts: Bool) async throws -> [RESPValue] {
        throw UpstashRefusal(Self.missing("transactions"))
    }

    func subscribe(_ events: UpstashEvents) async throws -> RedisSubscription {
        throw UpstashRefusal(Self.missing(events.command))
    }

    func monitor() async throws -> AsyncStream<String> {
        throw UpstashRefusal(Self.missing(UpstashEvents.monitor.command))
    }

    func close() async {}
}
