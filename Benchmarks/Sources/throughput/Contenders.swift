import BoundedCache
import Foundation
import Synchronization

/// What a contender in this process must do. Each is written out, so that the loops are compiled for it.
protocol KeyValueCache: Sendable {
    func value(_ key: String) -> Int?
    func store(_ key: String, _ value: Int)
}

extension Plan {
    @inline(__always)
    func run<Cache: KeyValueCache>(_ workload: Workload, _ threads: Int, whole: Cache, part: Cache) -> Double {
        // A slice of this is short: some peers take microseconds for each.
        let operations = workload == .hammer ? max(1, operations / 20) : operations
        return time(threads: threads, operations) { [self] offset in
            var found = 0
            switch workload {
            case .get:
                for index in 0..<operations where whole.value(key(offset + index)) != nil { found += 1 }
            case .mixed:
                for index in 0..<operations {
                    let key = key(offset + index)
                    if index % 10 == 9 {
                        whole.store(key, index)
                    } else if whole.value(key) != nil {
                        found += 1
                    }
                }
            case .readThrough:
                for index in 0..<operations {
                    let key = key(offset + index)
                    if part.value(key) != nil { found += 1 } else { part.store(key, index) }
                }
            case .hammer:
                let key = keys[0]
                for _ in 0..<operations where whole.value(key) != nil { found += 1 }
            }
            precondition(found > 0)
        }
    }

    @inline(__always)
    private func key(_ index: Int) -> String { keys[Int(picks[index & Self.mask])] }

    func fill(_ cache: some KeyValueCache) {
        for (index, key) in keys.enumerated() { cache.store(key, index) }
    }
}

struct BoundedContender: Contender {
    struct Cache: KeyValueCache {
        let cache: BoundedCache<String, Int>
        @inline(__always) func value(_ key: String) -> Int? { cache.get(key) }
        @inline(__always) func store(_ key: String, _ value: Int) { cache.set(key, value) }
    }

    let name: String
    let plan: Plan
    let whole: Cache
    let part: Cache

    init(_ plan: Plan, timeToLive: Duration?) {
        name = timeToLive == nil ? "BoundedCache" : "BoundedCache, expiring"
        self.plan = plan
        whole = Cache(cache: BoundedCache(capacity: plan.keys.count, timeToLive: timeToLive))
        part = Cache(cache: BoundedCache(capacity: plan.keys.count / 4, timeToLive: timeToLive))
        plan.fill(whole)
    }

    func run(_ workload: Workload, threads: Int) -> Double { plan.run(workload, threads, whole: whole, part: part) }
}

/// A dictionary behind a lock: no policy, no limit.
struct DictionaryContender: Contender {
    final class Cache: KeyValueCache {
        let values = Mutex<[String: Int]>([:])
        @inline(__always) func value(_ key: String) -> Int? { values.withLock { $0[key] } }
        @inline(__always) func store(_ key: String, _ value: Int) { values.withLock { $0[key] = value } }
    }

    let name = "Mutex<Dictionary>, no policy"
    let plan: Plan
    let whole = Cache()
    let part = Cache()

    init(_ plan: Plan) {
        self.plan = plan
        plan.fill(whole)
    }

    func run(_ workload: Workload, threads: Int) -> Double { plan.run(workload, threads, whole: whole, part: part) }
}

final class Box: Sendable {
    let value: Int
    init(_ value: Int) { self.value = value }
}

struct NSCacheContender: Contender {
    struct Cache: KeyValueCache, @unchecked Sendable {
        let cache = NSCache<NSString, Box>()
        init(limit: Int) { cache.countLimit = limit }
        @inline(__always) func value(_ key: String) -> Int? { cache.object(forKey: NSString(string: key))?.value }
        @inline(__always) func store(_ key: String, _ value: Int) {
            cache.setObject(Box(value), forKey: NSString(string: key))
        }
    }

    let name = "NSCache"
    let plan: Plan
    let whole: Cache
    let part: Cache

    init(_ plan: Plan) {
        self.plan = plan
        whole = Cache(limit: plan.keys.count)
        part = Cache(limit: plan.keys.count / 4)
        plan.fill(whole)
    }

    func run(_ workload: Workload, threads: Int) -> Double { plan.run(workload, threads, whole: whole, part: part) }
}
