import RESP

/// The scripts of the entry operations, put together from their parts for one kind of server.
///
/// Keys: the plain value, then its companion. Each script begins with the parts it names, in this order:
/// ``companion`` reads the companion, ``companionWrites`` changes it, ``plainValue`` looks at both. A service that counts
/// commands counts theirs, too: none is run that is not needed.
struct EntryScripts: Sendable {
    let read: RedisScript
    let settle: RedisScript
    let lease: RedisScript
    let fill: RedisScript
    let drop: RedisScript
    let fail: RedisScript
    let release: RedisScript
    let invalidate: RedisScript

    // One script object a source: it remembers the digest the server knows it by.
    static func of(_ dialect: RedisStore.Dialect) -> EntryScripts {
        switch dialect {
        case .redis: redis
        case .upstash: upstash
        }
    }

    /// The first line of a script that writes. Upstash locks the whole database for one that does not say it keeps to its keys.
    /// Redis refuses that flag, and versions before 7 refuse every such line.
    static func preamble(of dialect: RedisStore.Dialect) -> String {
        switch dialect {
        case .redis: ""
        case .upstash: "#!lua flags=allow-key-locking\n"
        }
    }

    private static let redis = EntryScripts(
        reading: "",
        writing: preamble(of: .redis),
        plain: plainLength,
        isTracked: true
    )
    private static let upstash = EntryScripts(
        reading: "#!lua flags=no-writes,allow-key-locking\n",
        writing: preamble(of: .upstash),
        plain: plainBytes,
        isTracked: false
    )

    private init(reading: String, writing: String, plain: String, isTracked: Bool) {
        func script(_ parts: String...) -> RedisScript { RedisScript(writing + parts.joined(separator: "\n")) }
        read = RedisScript(reading + [Self.companion, plain, Self.readEntry].joined(separator: "\n"), isReadOnly: true)
        settle = script(Self.companion, Self.companionWrites, Self.plainValue, Self.settleEntry)
        lease = script(Self.companion, Self.companionWrites, Self.plainValue, Self.leaseEntry)
        fill = script(Self.companion, Self.companionWrites, Self.plainValue, Self.fillEntry(isTracked: isTracked))
        drop = script(Self.companion, Self.companionWrites, Self.plainValue, Self.dropEntry)
        invalidate = script(Self.companion, Self.companionWrites, Self.plainValue, Self.invalidateEntry)
        fail = script(Self.companion, Self.companionWrites, Self.failEntry)
        release = script(Self.companion, Self.companionWrites, Self.releaseEntry)
    }
}
