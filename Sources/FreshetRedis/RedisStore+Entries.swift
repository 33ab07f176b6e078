public import Freshet
import NIOCore
import RESP

extension RedisStore {
    /// On Redis the script and a plain GET behind it go out together. They are no transaction and need not be: only a
    /// value with the digest that the script told is taken for the one it told of.
    public func readEntry(_ key: String, _ request: EntryRead) async throws -> EntrySnapshot {
        let keys = try Self.keys(key)
        let known = request.known
        let isInline = dialect == .upstash
        var arguments: [RESPArgument] = [.string(known?.generation.value ?? ""), .string(known?.digest ?? "")]
        if request.omitsValue { arguments.append("1") }
        let reply: EntryReply
        let plain: ByteBuffer?
        if isInline || known != nil || request.omitsValue {
            reply = try EntryReply(try await evaluate(scripts.read, keys, arguments))
            plain = reply.kind == "plain" && !isInline ? try await get(key) : reply.bytes
        } else {
            (reply, plain) = try await readTogether(key, keys, arguments)
        }
        guard reply.kind == "plain" else {
            return reply.kind == "settle" ? try await settle(keys, request) : try reply.complete()
        }
        guard let plain, plain.sha1 == reply.snapshot.digest else { return try await settle(keys, request) }
        let isHeld = known.map { $0.generation == reply.snapshot.generation && $0.digest == reply.snapshot.digest }
        return reply.snapshot(with: isHeld ?? false ? .unchanged : .value(plain))
    }

    private func readTogether(
        _ key: String,
        _ keys: [String],
        _ arguments: [RESPArgument]
    ) async throws -> (EntryReply, ByteBuffer?) {
        let replies = try await call {
            try await tracked.execute(pipeline: [
                scripts.read.command(keys: keys, arguments: arguments), RESPCommand("GET", key),
            ])
        }
        guard replies.count == 2 else { throw Self.unexpected("GET") }
        var script = replies[0]
        // A server that was restarted or failed over has lost the script.
        if script.error?.code == .noScript { script = try await evaluate(scripts.read, keys, arguments) }
        let reply = try EntryReply(try await call { try script.get() })
        let plain = reply.kind == "plain" ? try await call { try replies[1].get().bytes } : nil
        return (reply, plain)
    }

    private func settle(_ keys: [String], _ request: EntryRead) async throws -> EntrySnapshot {
        var arguments: [RESPArgument] = [Self.span(request.freshFor), Self.span(request.staleFor), .string(nonce())]
        if request.omitsValue { arguments.append("1") }
        var snapshot = try EntryReply(try await evaluate(scripts.settle, keys, arguments)).complete()
        if let known = request.known, known.generation == snapshot.generation, known.digest == snapshot.digest {
            snapshot.content = .unchanged
        }
        return snapshot
    }

    /// One command a key in one pipeline, so that the keys may live on different nodes.
    public func checkEntries(_ keys: [String]) async throws -> [EntryRead.Known?] {
        guard !keys.isEmpty else { return [] }
        let companions = try keys.map { try CompanionKey(of: $0).name }
        let replies = try await call {
            try await executor.execute(
                pipeline: companions.map { RESPCommand("HMGET", $0, "version", "generation", "digest") }
            )
        }
        guard replies.count == keys.count else { throw Self.unexpected("check") }
        return try await call { try replies.map(Self.known) }
    }

    /// A companion that cannot be read, of another format or without a value tells nothing. What ails the whole server
    /// is an error.
    private static func known(_ reply: RESPValue) throws -> EntryRead.Known? {
        if let error = reply.error {
            if isPassing(error) || error.refusal != nil { throw error }
            return nil
        }
        let fields = reply.array ?? []
        guard fields.count == 3, fields[0].string == "1", let generation = fields[1].string,
            let digest = fields[2].string
        else { return nil }
        return EntryRead.Known(generation: Generation(generation), digest: digest)
    }

    public func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome {
        var cooldown = Duration.zero
        var schedule: [RESPArgument] = []
        let purpose: String
        switch request.purpose {
        case .read: purpose = "read"
        case .renew: purpose = "renew"
        case .force(let invalidation, let time):
            purpose = invalidation.action
            cooldown = time
        case .scheduled(let slot):
            purpose = "schedule"
            schedule = [
                Self.span(slot.start), slot.lastRead.map { Self.span($0) } ?? "", Self.span(slot.idleAfter),
                Self.span(slot.keepFor),
            ]
        }
        let arguments: [RESPArgument] =
            [
                .string(purpose), Self.span(request.holdFor), Self.span(request.freshFor), Self.span(request.staleFor),
                Self.span(cooldown), .string(request.token), .string(nonce()),
            ] + schedule
        let reply = try await evaluate(scripts.lease, try Self.keys(key), arguments).array ?? []
        guard reply.count == 3, let outcome = reply[0].string, let digest = reply[1].string else {
            throw Self.unexpected("lease script")
        }
        let snapshot = try EntryReply(reply[2]).complete()
        switch (outcome, snapshot.generation) {
        case ("granted", let generation?):
            return .granted(Lease(token: request.token, generation: generation, digest: digest), snapshot)
        case ("held", _): return .held(snapshot)
        case ("fresh", _): return .fresh(snapshot)
        case ("failing", _): return .failing(snapshot)
        case ("coolingDown", _): return .coolingDown(snapshot)
        case ("notDue", _): return .notDue(snapshot)
        default: throw Self.unexpected("lease script")
        }
    }

    public func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome {
        var arguments: [RESPArgument] = [
            // Never empty, nor is one behind the value: one that is not text could not be sent over REST.
            .string(lease.token), .string(lease.generation.value), .string(lease.digest.isEmpty ? "-" : lease.digest),
        ]
        switch fill.content {
        case .value(let bytes, let digest): arguments += ["value", .bytes(bytes), .string(digest)]
        case .absent: arguments += ["absent", "", ""]
        case .unchanged: arguments += ["unchanged", "", ""]
        }
        arguments += [
            Self.milliseconds(fill.freshFor), Self.span(fill.staleFor),
            fill.ttl.map { Self.span(min($0, Self.longestTTL)) } ?? "-", fill.loadedAfter.map(Self.span) ?? "-",
        ]
        if let etag = fill.etag { arguments.append(.string(etag)) }
        let reply = try await evaluate(scripts.fill, try Self.keys(key), arguments).array ?? []
        switch (reply.first?.string, reply.last?.string.flatMap { FillOutcome.RefusalReason(rawValue: $0) }) {
        case ("stored", _): return .stored(lease.generation)
        case ("refused", let reason?): return .refused(reason)
        default: throw Self.unexpected("fill script")
        }
    }

    @discardableResult
    public func dropEntry(_ key: String, _ lease: Lease) async throws -> Bool {
        let arguments: [RESPArgument] = [
            .string(lease.token), .string(lease.generation.value), .string(nonce()),
        ]
        return try await evaluate(scripts.drop, try Self.keys(key), arguments, on: executor).integer == 1
    }

    @discardableResult
    public func failEntry(_ key: String, _ lease: Lease, with failure: EntryFailure) async throws -> Bool {
        let arguments: [RESPArgument] = [
            .string(lease.token), .string(lease.generation.value),
            .integer(max(0, failure.count)), .string(failure.code), .string(failure.message),
            Self.span(failure.retryAfter),
        ]
        return try await evaluate(scripts.fail, try Self.keys(key), arguments, on: executor).integer == 1
    }

    public func releaseEntry(_ key: String, token: String) async throws {
        _ = try await evaluate(scripts.release, try Self.keys(key), [.string(token)], on: executor)
    }

    public func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws {
        let arguments: [RESPArgument] = [.string(invalidation.action), .string(nonce())]
        _ = try await evaluate(scripts.invalidate, try Self.keys(key), arguments, on: executor)
    }

    /// Publishes a message that says nothing.
    ///
    /// - Throws: ``CacheError`` where the store's user may not, and so can store nothing. Other failures are no answer.
    package func checkChannel() async throws {
        do {
            _ = try await execute(RESPCommand("PUBLISH", InvalidationMessage.channel, ""))
        } catch let error as CacheError {
            guard (error.underlying as? RESPError)?.code == .noPermission else { return }
            throw CacheError(.storeRejected, InvalidationMessage.refusal, underlying: error.underlying)
                .because(of: .credentials)
        }
    }

    /// - Parameter executor: nil for what leaves a value behind that somebody is to be told the changes of.
    private func evaluate(
        _ script: RedisScript,
        _ keys: [String],
        _ arguments: [RESPArgument],
        on executor: (any CommandExecutor)? = nil
    ) async throws -> RESPValue {
        try await call { try await (executor ?? tracked).evaluate(script, keys: keys, arguments: arguments).get() }
    }

    private static func keys(_ key: String) throws -> [String] { [key, try CompanionKey(of: key).name] }

    /// The companion takes numbers of up to fifteen digits.
    private static let longestTTL = Duration.seconds(100_000_000_000)

    /// Whole milliseconds, never negative.
    private static func span(_ time: Duration) -> RESPArgument { .integer(Int(max(0, time.clampedMilliseconds))) }
}

extension Invalidation {
    fileprivate var action: String {
        switch self {
        case .expire: "expire"
        case .remove: "remove"
        }
    }
}
