import Freshet
import NIOCore

/// Runs operations on one store and says what came of them in words that are the same for every store: generations are
/// numbered as they appear, leases too, and times are told to the nearest hundred seconds.
struct StoreWalker {
    let store: any CacheStore
    /// What its clock showed when the walk began; slots count from there.
    private let beginning: Duration
    private(set) var leases: [String: [Lease]] = [:]
    /// What a reader of the key would hold.
    private(set) var known: [String: EntryRead.Known] = [:]
    private var generations: [Generation] = []

    init(_ store: any CacheStore, beginning: Duration) {
        self.store = store
        self.beginning = beginning
    }

    mutating func run(_ operation: StoreOperation, on key: String) async -> String {
        do {
            return try await attempt(operation, on: key)
        } catch let error as CacheError {
            return "error \(error.code)"
        } catch {
            return "error \(error)"
        }
    }

    private mutating func attempt(_ operation: StoreOperation, on key: String) async throws -> String {
        switch operation {
        case .get: return try await store.get(key).map { String(buffer: $0) } ?? "nil"
        case .del: return "\(try await store.del([key]))"
        case .exists: return "\(try await store.exists([key, key]))"
        case .hgetall: return "\(try await store.hgetall(key).sorted { $0.key < $1.key })"
        case .set(let value, let options):
            return "\(try await store.set(key, ByteBuffer(string: value), options: options))"
        case .incr(let amount): return "\(try await store.incr(key, by: amount))"
        case .expire(let time): return "\(try await store.expire(key, after: time))"
        case .hset(let fields): return "\(try await store.hset(key, fields.mapValues { ByteBuffer(string: $0) }))"
        case .hdel(let fields): return "\(try await store.hdel(key, fields))"
        case .ttl:
            switch try await store.ttl(key) {
            case .remaining(let rest): return words(rest)
            case let other: return "\(other)"
            }
        case .read(let known, let freshFor, let staleFor):
            let request = EntryRead(freshFor: freshFor, staleFor: staleFor, known: known)
            return words(try await store.readEntry(key, request), key)
        case .check:
            return try await store.checkEntries([key, "\(key)-never"])
                .map { $0.map { "\(words($0.generation)) \($0.digest)" } ?? "-" }
                .joined(separator: ", ")
        case .lease(var request):
            if case .scheduled(var slot) = request.purpose {
                slot.start += beginning
                request.purpose = .scheduled(slot)
            }
            return words(try await store.leaseEntry(key, request), key)
        case .fill(let number, let fill):
            switch try await store.fillEntry(key, leases[key, default: []][number], with: fill) {
            case .stored(let generation): return "stored \(words(generation))"
            case .refused(let reason): return "refused \(reason)"
            }
        case .drop(let number):
            return "\(try await store.dropEntry(key, leases[key, default: []][number]))"
        case .fail(let number, let failure):
            try await store.failEntry(key, leases[key, default: []][number], with: failure)
            return "done"
        case .release(let number):
            try await store.releaseEntry(key, token: leases[key, default: []][number].token)
            return "done"
        case .invalidate(let invalidation):
            try await store.invalidateEntry(key, invalidation)
            return "done"
        }
    }

    private mutating func words(_ outcome: LeaseOutcome, _ key: String) -> String {
        switch outcome {
        case .granted(let lease, let snapshot):
            leases[key, default: []].append(lease)
            return "granted \(words(lease.generation)) '\(lease.digest)' \(words(snapshot, key))"
        case .held(let snapshot): return "held \(words(snapshot, key))"
        case .fresh(let snapshot): return "fresh \(words(snapshot, key))"
        case .failing(let snapshot): return "failing \(words(snapshot, key))"
        case .coolingDown(let snapshot): return "cooling \(words(snapshot, key))"
        case .notDue(let snapshot): return "not due \(words(snapshot, key))"
        }
    }

    private mutating func words(_ snapshot: EntrySnapshot, _ key: String) -> String {
        if let generation = snapshot.generation, let digest = snapshot.digest {
            known[key] = EntryRead.Known(generation: generation, digest: digest)
        }
        let failure = snapshot.failure.map { "\($0.count) \($0.code) \($0.message) \(words($0.retryAfter))" } ?? "-"
        let content =
            if case .value(let bytes) = snapshot.content { String(buffer: bytes) } else { "\(snapshot.content)" }
        return """
            \(content) of \(snapshot.generation.map { words($0) } ?? "-") \(snapshot.digest ?? "-") \(snapshot.etag ?? "-") \
            ttl \(snapshot.ttl.map { words($0) } ?? "-") \
            age \(words(snapshot.age)) fresh \(words(snapshot.freshFor)) stale \(words(snapshot.staleFor)) \
            failure \(failure) lease \(snapshot.leaseFor.map { words($0) } ?? "-") \
            read \(snapshot.lastRead.map { words($0) } ?? "-") forced \(snapshot.lastForced.map { words($0) } ?? "-")
            """
    }

    private mutating func words(_ generation: Generation) -> String {
        if let number = generations.firstIndex(of: generation) { return "#\(number)" }
        generations.append(generation)
        return "#\(generations.count - 1)"
    }

    private func words(_ time: Duration) -> String {
        "\(Int((Double(time.components.seconds) / 100).rounded()) * 100)"
    }
}
