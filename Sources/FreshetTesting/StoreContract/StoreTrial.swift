import Freshet
import NIOCore

/// A store under one check, and the words in which checks speak of it.
struct StoreTrial: Sendable {
    let store: any CacheStore
    let passTime: @Sendable (Duration) async throws -> Void
    private let prefix = "contract-\(String(UInt64.random(in: 0 ... .max), radix: 36))"

    init(store: any CacheStore, passTime: @escaping @Sendable (Duration) async throws -> Void) {
        self.store = store
        self.passTime = passTime
    }

    /// A key of this trial alone.
    func key(_ name: String = "key") -> String { "\(prefix):\(name)" }

    // MARK: Expectations

    func expect(_ condition: Bool, _ message: @autoclosure () -> String, line: UInt = #line) throws {
        guard condition else { throw StoreContract.Violation(message: message(), line: line) }
    }

    func expectEqual<T: Equatable>(_ actual: T, _ expected: T, _ what: String, line: UInt = #line) throws {
        try expect(actual == expected, "\(what) is \(actual), not \(expected)", line: line)
    }

    func unwrap<T>(_ value: T?, _ what: String, line: UInt = #line) throws -> T {
        guard let value else { throw StoreContract.Violation(message: "there is no \(what)", line: line) }
        return value
    }

    /// Expects an error of that code.
    func expectError<T>(
        _ code: CacheError.Code,
        _ what: String,
        line: UInt = #line,
        _ body: () async throws -> T
    ) async throws {
        do {
            _ = try await body()
        } catch let error as CacheError {
            return try expectEqual(error.code, code, "the error of \(what)", line: line)
        }
        throw StoreContract.Violation(message: "\(what) succeeded", line: line)
    }

    /// Lets time pass until a condition holds, and gives up after five seconds of it.
    func eventually(_ what: String, line: UInt = #line, _ condition: () async throws -> Bool) async throws {
        let step = Duration.milliseconds(3)
        for _ in 0..<1700 {
            if try await condition() { return }
            try await passTime(step)
        }
        throw StoreContract.Violation(message: "it never happened that \(what)", line: line)
    }

    // MARK: Entries

    static let long = Duration.seconds(600)
    static let short = Duration.milliseconds(1)

    func read(
        _ key: String,
        freshFor: Duration = long,
        staleFor: Duration = .zero,
        known: EntryRead.Known? = nil
    ) async throws -> EntrySnapshot {
        try await store.readEntry(key, EntryRead(freshFor: freshFor, staleFor: staleFor, known: known))
    }

    /// A read that does without the value.
    func outline(_ key: String, known: EntryRead.Known? = nil) async throws -> EntrySnapshot {
        try await store.readEntry(key, EntryRead(freshFor: Self.long, known: known, omitsValue: true))
    }

    func lease(
        _ key: String,
        _ purpose: LeaseRequest.Purpose = .read,
        holdFor: Duration = long,
        freshFor: Duration = long,
        staleFor: Duration = .zero
    ) async throws -> LeaseOutcome {
        try await store.leaseEntry(
            key,
            LeaseRequest(purpose: purpose, holdFor: holdFor, freshFor: freshFor, staleFor: staleFor)
        )
    }

    func granted(
        _ key: String,
        _ purpose: LeaseRequest.Purpose = .read,
        holdFor: Duration = long,
        line: UInt = #line
    ) async throws -> (Lease, EntrySnapshot) {
        let outcome = try await lease(key, purpose, holdFor: holdFor)
        guard case .granted(let lease, let snapshot) = outcome else {
            throw StoreContract.Violation(message: "a lease was not granted but is \(outcome)", line: line)
        }
        return (lease, snapshot)
    }

    func fill(
        _ key: String,
        _ lease: Lease,
        _ value: String,
        freshFor: Duration = long,
        staleFor: Duration = .zero,
        etag: String? = nil
    ) async throws -> FillOutcome {
        let bytes = ByteBuffer(string: value)
        let content = EntryFill.Content.value(bytes, digest: bytes.sha1)
        return try await store.fillEntry(
            key,
            lease,
            with: EntryFill(content: content, freshFor: freshFor, staleFor: staleFor, etag: etag)
        )
    }

    func fillAbsence(_ key: String, _ lease: Lease, freshFor: Duration = long) async throws {
        _ = try await store.fillEntry(key, lease, with: EntryFill(content: .absent, freshFor: freshFor))
    }

    @discardableResult
    func fail(_ key: String, _ lease: Lease) async throws -> Bool {
        let failure = EntryFailure(count: 1, code: "sourceFailed", message: "no", retryAfter: Self.long)
        return try await store.failEntry(key, lease, with: failure)
    }

    func expectStored(
        _ key: String,
        _ lease: Lease,
        _ fill: EntryFill,
        _ what: String,
        line: UInt = #line
    ) async throws {
        let outcome = try await store.fillEntry(key, lease, with: fill)
        try expectEqual(outcome, .stored(lease.generation), what, line: line)
    }

    func expectStored(
        _ key: String,
        _ lease: Lease,
        _ value: String,
        _ what: String,
        line: UInt = #line
    ) async throws {
        try expectEqual(try await fill(key, lease, value), .stored(lease.generation), what, line: line)
    }

    /// The lease that is granted once another one has ended.
    func grantedInTime(_ key: String, line: UInt = #line) async throws -> Lease {
        var granted: Lease?
        try await eventually("the lease has ended", line: line) {
            guard case .granted(let lease, _) = try await lease(key) else { return false }
            granted = lease
            return true
        }
        return try unwrap(granted, "second lease", line: line)
    }

    func coolingDown(
        _ key: String,
        _ purpose: LeaseRequest.Purpose,
        line: UInt = #line
    ) async throws -> EntrySnapshot {
        guard case .coolingDown(let snapshot) = try await lease(key, purpose) else {
            throw StoreContract.Violation(message: "it did not cool down", line: line)
        }
        return snapshot
    }

    /// What is left of the life of a key.
    ///
    /// - Parameter problem: what is wrong where it does not expire.
    func remaining(_ key: String, _ problem: String, line: UInt = #line) async throws -> Duration {
        guard case .remaining(let rest) = try await store.ttl(key) else {
            throw StoreContract.Violation(message: problem, line: line)
        }
        return rest
    }

    /// Leases and fills.
    @discardableResult
    func load(
        _ key: String,
        _ value: String,
        freshFor: Duration = long,
        staleFor: Duration = .zero,
        etag: String? = nil,
        line: UInt = #line
    ) async throws -> Generation {
        let (lease, _) = try await granted(key, line: line)
        let outcome = try await fill(key, lease, value, freshFor: freshFor, staleFor: staleFor, etag: etag)
        guard case .stored(let generation) = outcome else {
            throw StoreContract.Violation(message: "a fill was not stored but \(outcome)", line: line)
        }
        return generation
    }

    /// Loads a value and waits until it is stale.
    func loadStale(_ key: String, _ value: String, etag: String? = nil, line: UInt = #line) async throws {
        try await load(key, value, freshFor: Self.short, staleFor: Self.long, etag: etag, line: line)
        try await eventually("a value is stale", line: line) { try await read(key).freshFor <= .zero }
        // A server drops a key only after the millisecond in which it expires.
        try await eventually("its plain value is gone", line: line) { try await get(key) == nil }
    }

    func expectValue(_ snapshot: EntrySnapshot, _ value: String?, line: UInt = #line) throws {
        let content: EntrySnapshot.Content = value.map { .value(ByteBuffer(string: $0)) } ?? .gone
        try expectEqual(snapshot.content, content, "the content", line: line)
        try expectEqual(snapshot.digest, value.map { ByteBuffer(string: $0).sha1 }, "the digest", line: line)
        if value == nil {
            try expectEqual(
                [snapshot.age, snapshot.freshFor, snapshot.staleFor],
                [.zero, .zero, .zero],
                "times of nothing",
                line: line
            )
            try expectEqual(snapshot.etag, nil, "the ETag of nothing", line: line)
        }
    }

    /// Expects a value, or its size alone.
    func expectOutline(_ snapshot: EntrySnapshot, of value: String, line: UInt = #line) throws {
        let bytes = ByteBuffer(string: value)
        let contents: [EntrySnapshot.Content] = [.omitted(size: bytes.readableBytes), .value(bytes)]
        try expect(contents.contains(snapshot.content), "the content is another one", line: line)
        try expectEqual(snapshot.digest, bytes.sha1, "the digest", line: line)
    }

    /// Expects that the store knows nothing of a key.
    func expectNothing(_ snapshot: EntrySnapshot, line: UInt = #line) throws {
        try expectEqual(snapshot, EntrySnapshot(content: .gone, time: snapshot.time), "the snapshot", line: line)
    }

    /// Expects a time that was set long ahead and may have begun to run.
    func expectLong(_ time: Duration?, _ what: String, line: UInt = #line) throws {
        try expectLong(time, Self.long, what, line: line)
    }

    func expectLong(_ time: Duration?, _ limit: Duration, _ what: String, line: UInt = #line) throws {
        let time = try unwrap(time, what, line: line)
        try expect(time <= limit && time > limit - .seconds(60), "\(what) is \(time), not about \(limit)", line: line)
    }

    func set(_ key: String, _ value: String, _ options: CacheOptions = CacheOptions(expiry: .never)) async throws {
        try expect(try await store.set(key, ByteBuffer(string: value), options: options), "a set was refused")
    }

    func get(_ key: String) async throws -> String? { try await store.get(key).map { String(buffer: $0) } }
}
