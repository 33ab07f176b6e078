public import Freshet
public import RESP

/// A store on a Redis-compatible server, over TCP or REST: whatever runs RESP commands.
///
/// Values are plain: any other program reads and writes them. What else Freshet knows of a field's value is in a
/// companion hash beside it; see `CompanionKey`. Every change to the two is one Lua script, and all times are the
/// server's. The server must know `SET … PXAT`: Redis 6.2, Valkey 7.2, Upstash.
///
/// Server errors that pass by themselves (`LOADING`, `CLUSTERDOWN`, a spent quota) are `storeUnavailable`, all others
/// `storeRejected`; transport errors are `storeTimedOut` or `storeUnavailable`, or `storeRejected` where they are about the
/// command alone, such as one that is too large.
public struct RedisStore: CacheStore, MeteredStore {
    /// Servers differ in how scripts are run and in what is scarce.
    public enum Dialect: Sendable, Hashable {
        /// Redis and Valkey. The server's time is scarce, so that it neither copies nor hashes a fresh value for a
        /// read.
        case redis
        /// Upstash. Commands are counted, those within scripts too, and so are bytes on their way out: as few as can be.
        /// Scripts declare that they lock only their keys.
        case upstash
    }

    let executor: any CommandExecutor
    let tracked: any CommandExecutor
    let dialect: Dialect
    let scripts: EntryScripts
    private let spawner: any Spawner

    /// - Parameters:
    ///   - executor: runs everything else. It is not closed here.
    ///   - tracked: runs what fields' values are read and stored with, on the same server, so that it tells who changes
    ///     them; a ``RedisBackplane`` passes that on.
    ///   - dialect: `upstash` where the server is Upstash's, over REST or TCP.
    ///   - spawner: the chance that generations are made of.
    public init(
        _ executor: any CommandExecutor,
        tracked: (any CommandExecutor)? = nil,
        dialect: Dialect = .redis,
        spawner: any Spawner = SystemSpawner()
    ) {
        self.executor = executor
        self.tracked = tracked ?? executor
        self.dialect = dialect
        self.scripts = EntryScripts.of(dialect)
        self.spawner = spawner
    }

    package var idlePeriod: Duration? { dialect == .upstash ? .seconds(60) : nil }

    /// An opaque name that nobody else has.
    func nonce() -> String {
        let digits = String(spawner.random(), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
