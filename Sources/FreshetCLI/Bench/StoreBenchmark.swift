import Freshet
import NIOCore

/// Tasks that run one operation on a store over and over.
struct StoreBenchmark: Sendable {
    enum Operation: String, Encodable, Sendable, CaseIterable {
        case get, set
    }

    struct Result: Encodable, Sendable {
        let operation: Operation
        let tasks: Int
        let bytes: Int
        let operations: Int
        /// Operations that failed; their latencies count, since callers wait for them, too.
        let errors: Int
        /// Why the first of them did.
        let firstError: String?
        let opsPerSecond: Double
        let p50: Double
        let p90: Double
        let p99: Double
        let p999: Double
        let max: Double

        enum CodingKeys: String, CodingKey {
            case operation, tasks, bytes, operations, errors
            case firstError = "first_error"
            case opsPerSecond = "ops_per_second"
            case p50 = "p50_ms"
            case p90 = "p90_ms"
            case p99 = "p99_ms"
            case p999 = "p999_ms"
            case max = "max_ms"
        }
    }

    /// Values written are gone so long after their line, whatever happens to the program.
    private static let reserve = Duration.seconds(600)
    private static let keyCount = 100

    private struct Failures {
        var count = 0
        var first: (time: ContinuousClock.Instant, reason: String)?

        mutating func add(_ reason: @autoclosure () -> String) {
            count += 1
            if first == nil { first = (.now, reason()) }
        }

        mutating func add(_ other: Failures) {
            count += other.count
            first = [first, other.first].compactMap { $0 }.min { $0.time < $1.time }
        }
    }

    let store: any CacheStore
    let duration: Duration
    private let keys: [String]

    init(store: any CacheStore, duration: Duration) {
        self.store = store
        self.duration = duration
        let run = UInt32.random(in: 0 ... .max)
        keys = (0..<Self.keyCount).map { "freshet:bench:\(run):\($0)" }
    }

    func clean() async throws {
        _ = try await store.del(keys)
    }

    func run(_ operation: Operation, tasks: Int, bytes: Int) async throws -> Result {
        let value = ByteBuffer(repeating: 0x78, count: bytes)
        let options = try CacheOptions(px: Int((duration + Self.reserve) / .milliseconds(1)))
        for key in keys { _ = try await store.set(key, value, options: options) }
        let none = Latencies()
        let start = ContinuousClock.now
        let (latencies, failures) = await withTaskGroup(of: (Latencies, Failures).self) { group in
            for task in 0..<tasks {
                group.addTask { await work(operation, value, options, from: task, until: start + duration, none) }
            }
            return await group.reduce(into: (none, Failures())) { total, part in
                total.0.add(part.0)
                total.1.add(part.1)
            }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return Result(
            operation: operation,
            tasks: tasks,
            bytes: bytes,
            operations: latencies.count,
            errors: failures.count,
            firstError: failures.first?.reason,
            opsPerSecond: (Double(latencies.count - failures.count) / seconds).rounded(),
            p50: latencies.quantile(50),
            p90: latencies.quantile(90),
            p99: latencies.quantile(99),
            p999: latencies.quantile(99.9),
            max: latencies.max
        )
    }

    private func work(
        _ operation: Operation,
        _ value: ByteBuffer,
        _ options: CacheOptions,
        from first: Int,
        until end: ContinuousClock.Instant,
        _ none: Latencies
    ) async -> (Latencies, Failures) {
        var latencies = none
        var failures = Failures()
        var index = first
        var now = ContinuousClock.now
        while now < end {
            let key = keys[index % keys.count]
            index += 1
            do {
                switch operation {
                case .get:
                    if try await store.get(key) == nil { failures.add("A value that was written is gone.") }
                case .set: _ = try await store.set(key, value, options: options)
                }
            } catch {
                failures.add("\(error)")
            }
            let after = ContinuousClock.now
            latencies.record(after - now)
            now = after
        }
        return (latencies, failures)
    }
}
