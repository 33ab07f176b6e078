import Freshet
import NIOCore

extension StoreContract {
    static let oddities = [
        Check("keys may hold anything but bad braces") { trial in
            let names = ["ñandú 🦤", "a b\t\r\nc", "{tag}key", "x{tag}y", "with:meta", "\"quoted\" 'key'", "{{nested}}"]
            for name in names {
                let key = trial.key(name)
                let generation = try await trial.load(key, "[1]", staleFor: StoreTrial.long)
                let snapshot = try await trial.read(key)
                try trial.expectValue(snapshot, "[1]")
                try trial.expectEqual(snapshot.generation, generation, "the generation")
                try await trial.store.invalidateEntry(key, .expire)
                try trial.expectValue(try await trial.read(key), "[1]")
            }
        },
        Check("keys and fields that are spelled alike to the eye only are others") { trial in
            let spellings = ["caf\u{e9}", "cafe\u{301}", "\u{212B}", "\u{C5}", "\u{212A}", "K"]
            for (index, spelling) in spellings.enumerated() {
                try await trial.set(trial.key(spelling), "\(index)")
                try await trial.load(trial.key("entry-\(spelling)"), "[\(index)]")
                let added = try await trial.store.hset(trial.key("h"), [spelling: ByteBuffer(string: "\(index)")])
                try trial.expectEqual(added, 1, "the number of new fields")
            }
            for (index, spelling) in spellings.enumerated() {
                try trial.expectEqual(try await trial.get(trial.key(spelling)), "\(index)", "the value")
                try trial.expectValue(try await trial.read(trial.key("entry-\(spelling)")), "[\(index)]")
                let field = try await trial.store.hget(trial.key("h"), spelling)
                try trial.expectEqual(field, ByteBuffer(string: "\(index)"), "the field")
            }
            let removed = try await trial.store.hdel(trial.key("h"), spellings)
            try trial.expectEqual(removed, spellings.count, "the number of deleted fields")
        },
        Check("keys with unbalanced or empty braces are refused, and so is the empty one") { trial in
            let lease = Lease(token: "t", generation: Generation("g"), digest: "")
            for key in ["", trial.key("{}"), trial.key("{"), trial.key("}"), trial.key("}{"), trial.key("{a}{"), "{}x"]
            {
                try await trial.expectError(.invalidArgument, "a read") { try await trial.read(key) }
                try await trial.expectError(.invalidArgument, "a lease") { try await trial.lease(key) }
                try await trial.expectError(.invalidArgument, "a fill") { try await trial.fill(key, lease, "[1]") }
                try await trial.expectError(.invalidArgument, "a drop") { try await trial.store.dropEntry(key, lease) }
                try await trial.expectError(.invalidArgument, "a failure") { try await trial.fail(key, lease) }
                try await trial.expectError(.invalidArgument, "a release") {
                    try await trial.store.releaseEntry(key, token: lease.token)
                }
                try await trial.expectError(.invalidArgument, "an expiry") {
                    try await trial.store.invalidateEntry(key, .expire)
                }
            }
        },
        Check("entries may be empty, binary and large, fresh and stale") { trial in
            let values = [ByteBuffer(), ByteBuffer(bytes: 0...255), ByteBuffer(repeating: 0xF0, count: 1 << 20)]
            for (index, value) in values.enumerated() {
                let key = trial.key("\(index)")
                let (lease, _) = try await trial.granted(key)
                let fill = EntryFill(content: .value(value, digest: value.sha1), freshFor: StoreTrial.long)
                try await trial.expectStored(key, lease, fill, "fill")
                try trial.expect(try await trial.read(key).content == .value(value), "value \(index) changed")
                try await trial.store.invalidateEntry(key, .expire)
                try trial.expect(try await trial.read(key).content == .value(value), "stale value \(index) changed")
            }
        },
        Check("a hash at a field's key is rejected by every operation that looks, and stays") { trial in
            let key = trial.key()
            let fields = ["a": ByteBuffer(string: "1")]
            let (lease, _) = try await trial.granted(key)
            _ = try await trial.store.hset(key, fields)
            try await trial.expectError(.storeRejected, "a read") { try await trial.read(key) }
            try await trial.expectError(.storeRejected, "a lease") { try await trial.lease(key) }
            try await trial.expectError(.storeRejected, "a forced lease") {
                try await trial.lease(key, .force(.remove, cooldown: .zero))
            }
            try await trial.expectError(.storeRejected, "a fill") { try await trial.fill(key, lease, "[1]") }
            try await trial.expectError(.storeRejected, "a drop") { try await trial.store.dropEntry(key, lease) }
            try await trial.expectError(.storeRejected, "an expiry") {
                try await trial.store.invalidateEntry(key, .expire)
            }
            try await trial.expectError(.storeRejected, "a removal") {
                try await trial.store.invalidateEntry(key, .remove)
            }
            try await trial.store.releaseEntry(key, token: lease.token)
            try trial.expectEqual(try await trial.store.hgetall(key), fields, "the hash")
            _ = try await trial.store.del([key])
            try await trial.load(key, "[1]")
        },
        Check("times beyond reason are kept") { trial in
            let key = trial.key()
            let years = Duration.seconds(100 * 365 * 86_400)
            try await trial.load(key, "[1]", freshFor: years, staleFor: years)
            let snapshot = try await trial.read(key)
            try trial.expectValue(snapshot, "[1]")
            try trial.expectLong(snapshot.freshFor, years, "freshness")
            try await trial.load(trial.key("least"), "[1]", freshFor: .nanoseconds(-1), staleFor: .seconds(-1))
            try await trial.eventually("it is gone") { try await trial.read(trial.key("least")).content == .gone }
        },
    ]

    /// A store without companions of its own under these names passes without further ado.
    static let garbledCompanions = [
        Check("a companion of another type counts as none") { trial in
            let key = trial.key()
            let companion = try CompanionKey(of: key).name
            try await trial.load(key, "[1]")
            try await trial.set(companion, "garbage")
            try trial.expectValue(try await trial.read(key), "[1]")
            try trial.expectValue(try await trial.read(key), "[1]")
            try await trial.set(companion, "garbage")
            _ = try await trial.store.del([key])
            try trial.expectValue(try await trial.read(key), nil)
            try await trial.load(key, "[2]")
            try trial.expectValue(try await trial.read(key), "[2]")
            try await trial.set(companion, "garbage")
            try await trial.store.invalidateEntry(key, .remove)
            try trial.expectValue(try await trial.read(key), nil)
        },
        Check("a companion of another version or with garbage in it counts as none") { trial in
            let damages: [[String: String]] = [
                ["version": "2"], ["version": ""], ["version": "1", "generation": "x", "freshUntil": "soon"],
                ["freshUntil": "-1"], ["staleUntil": "1e99"], ["staleUntil": "99999999999999999999"], ["created": ""],
                ["plainUntil": "nan"], ["content": "elephant"], ["leaseUntil": "0x10"], ["failureUntil": " 1"],
                ["content": "absent"], ["leaseToken": "only"],
            ]
            for (index, damage) in damages.enumerated() {
                let key = trial.key("\(index)")
                let fields = damage.mapValues { ByteBuffer(string: $0) }
                let companion = try CompanionKey(of: key).name
                try await trial.load(key, "[1]", staleFor: StoreTrial.long)
                _ = try await trial.store.hset(companion, fields)
                try trial.expectValue(try await trial.read(key), "[1]")
                _ = try await trial.store.hset(companion, fields)
                let (lease, _) = try await trial.granted(key, .force(.expire, cooldown: .zero))
                _ = try await trial.store.hset(companion, ["version": ByteBuffer(string: "0")])
                _ = try await trial.fill(key, lease, "[2]")
                _ = try await trial.lease(key)
                _ = try await trial.store.hset(companion, fields)
                try await trial.store.invalidateEntry(key, .remove)
                try trial.expectValue(try await trial.read(key), nil)
                try await trial.load(key, "[3]")
                try trial.expectValue(try await trial.read(key), "[3]")
            }
        },
    ]

    static let concurrency = [
        Check("of many leases one is granted") { trial in
            let key = trial.key()
            for round in 0..<5 {
                let grants = try await trial.concurrently(100) { _ -> Lease? in
                    if case .granted(let lease, _) = try await trial.lease(key) { lease } else { nil }
                }
                let leases = grants.compactMap { $0 }
                try trial.expectEqual(leases.count, 1, "the number of grants")
                _ = try await trial.fill(key, leases[0], "\(round)", freshFor: StoreTrial.long)
                try await trial.store.invalidateEntry(key, .expire)
            }
        },
        Check("of many adoptions there is one generation") { trial in
            let key = trial.key()
            try await trial.set(key, "[1]")
            let generations = try await trial.concurrently(50) { _ in try await trial.read(key).generation }
            try trial.expectEqual(Set(generations).count, 1, "the number of generations")
        },
        Check("many readers, loaders and invalidators agree on what is stored") { trial in
            let key = trial.key()
            let stored = try await trial.concurrently(100) { number -> String? in
                if number.isMultiple(of: 10) {
                    try await trial.store.invalidateEntry(key, number.isMultiple(of: 20) ? .expire : .remove)
                    return nil
                }
                guard case .granted(let lease, _) = try await trial.lease(key) else {
                    _ = try await trial.read(key)
                    return nil
                }
                guard case .stored = try await trial.fill(key, lease, "\(number)", staleFor: StoreTrial.long) else {
                    return nil
                }
                return "\(number)"
            }
            if case .value(let bytes) = try await trial.read(key).content {
                try trial.expect(stored.contains(String(buffer: bytes)), "what is read was not said to be stored")
            }
            try await trial.store.invalidateEntry(key, .remove)
            try await trial.load(key, "last")
            try trial.expectValue(try await trial.read(key), "last")
        },
    ]
}

extension StoreTrial {
    func concurrently<T: Sendable>(
        _ count: Int,
        _ body: @escaping @Sendable (Int) async throws -> T
    ) async throws -> [T] {
        try await withThrowingTaskGroup(of: T.self) { group in
            for number in 0..<count { group.addTask { try await body(number) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}
