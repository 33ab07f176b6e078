import Freshet
import NIOCore
import TestSupport

/// One step of a random walk over a store.
enum StoreOperation: Sendable {
    case get, del, exists, ttl, hgetall
    case set(String, CacheOptions)
    case incr(Int64)
    case expire(Duration)
    case hset([String: String])
    case hdel([String])
    case read(EntryRead.Known?, freshFor: Duration, staleFor: Duration)
    /// Of this key and one that there never is.
    case check
    case lease(LeaseRequest)
    /// The lease is one of those granted before, by number.
    case fill(lease: Int, EntryFill)
    case drop(lease: Int)
    case fail(lease: Int, EntryFailure)
    case release(lease: Int)
    case invalidate(Invalidation)

    static let short = Duration.milliseconds(1)

    /// Whether something ends a moment later, so that the walk has to wait before it goes on.
    var setsShortTime: Bool {
        switch self {
        case .set(_, let options): options.expiry == .after(Self.short)
        case .expire(let time): time == Self.short
        case .read(_, let freshFor, let staleFor): freshFor == Self.short || staleFor == Self.short
        case .lease(let request):
            // What a schedule notes is compared to the moment.
            request.purpose.isScheduled || [request.holdFor, request.freshFor, request.staleFor].contains(Self.short)
        case .fill(_, let fill): fill.freshFor == Self.short || fill.staleFor == Self.short
        case .fail(_, let failure): failure.retryAfter == Self.short
        default: false
        }
    }
}

/// Makes operations that often mean something together: few keys and values, mostly the latest lease.
struct StoreOperationGenerator {
    var random: SplitMix64

    mutating func next(leases: Int, known: EntryRead.Known?) -> StoreOperation {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<6:
            .set(value(), CacheOptions(expiry: expiry(), condition: pick([.always, .always, .ifMissing, .ifPresent])))
        case 6..<8: .del
        case 8..<10: .get
        case 10..<12: .expire(pick([.seconds(1000), StoreOperation.short, .seconds(-1)]))
        case 12..<14: .ttl
        case 14: .incr(pick([1, -3, .max]))
        case 15: .hset([pick(["a", "b"]): value()])
        case 16: .hdel(["a", "b"])
        case 17: .hgetall
        case 18: .exists
        case 19..<22: .check
        case 22..<40: .read(Bool.random(using: &random) ? known : nil, freshFor: time(), staleFor: window())
        case 40..<64:
            .lease(LeaseRequest(purpose: purpose(), holdFor: time(), freshFor: time(), staleFor: window()))
        case 64..<84 where leases > 0: .fill(lease: lease(of: leases), fill())
        case 84..<86 where leases > 0: .drop(lease: lease(of: leases))
        case 86..<89 where leases > 0:
            .fail(
                lease: lease(of: leases),
                EntryFailure(count: pick([1, 2, 7]), code: "sourceFailed", message: value(), retryAfter: time())
            )
        case 89..<92 where leases > 0: .release(lease: lease(of: leases))
        case 92..<97: .invalidate(.expire)
        default: .invalidate(.remove)
        }
    }

    mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }

    private mutating func value() -> String { pick(["1", "-7", "[1]", "[2]", "", "ñ🦤", "{\"a\":1}"]) }

    private mutating func time() -> Duration {
        pick([.seconds(1000), .seconds(1000), .seconds(5000), StoreOperation.short])
    }

    private mutating func window() -> Duration {
        pick([.zero, .seconds(1000), .seconds(5000), StoreOperation.short])
    }

    private mutating func expiry() -> CacheOptions.Expiry {
        pick([.never, .keep, .after(.seconds(1000)), .after(.seconds(5000)), .after(StoreOperation.short)])
    }

    private mutating func lease(of count: Int) -> Int {
        Int.random(in: 0..<4, using: &random) > 0 ? count - 1 : Int.random(in: 0..<count, using: &random)
    }

    private mutating func purpose() -> LeaseRequest.Purpose {
        pick([
            .read, .read, .read, .renew, .renew, .force(.expire, cooldown: .zero), .force(.remove, cooldown: .zero),
            .force(.expire, cooldown: .seconds(1000)), .force(.remove, cooldown: .seconds(1000)),
            .scheduled(slot()), .scheduled(slot()),
        ])
    }

    private mutating func slot() -> ScheduledSlot {
        ScheduledSlot(
            // After the walk's beginning.
            start: pick([.seconds(-1000), .seconds(-999), .seconds(-998), .seconds(-998), .seconds(1000)]),
            lastRead: pick([nil, .zero, .seconds(2000)]),
            idleAfter: pick([.zero, .seconds(1000), StoreOperation.short]),
            keepFor: .seconds(5000)
        )
    }

    private mutating func fill() -> EntryFill {
        let bytes = ByteBuffer(string: value())
        let value = EntryFill.Content.value(bytes, digest: bytes.sha1)
        return EntryFill(
            content: pick([value, value, value, .unchanged, .absent]),
            freshFor: time(),
            staleFor: window(),
            etag: pick([nil, "one", "two"]),
            ttl: pick([nil, .seconds(1000), .seconds(5000)]),
            loadedAfter: pick([nil, .zero, .seconds(1000)])
        )
    }
}

extension LeaseRequest.Purpose {
    var isScheduled: Bool { if case .scheduled = self { true } else { false } }
}
