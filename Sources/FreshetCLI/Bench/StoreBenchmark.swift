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
        let errors: Int
        let opsPerSecond: Double
        let p50: Double
        let p90: Double
        let p99: Double
        let p999: Double
        let max: Double

        enum CodingKeys: String, CodingKey {
            case operation, tasks, bytes, operations, errors
            case opsPerSecond = "ops_per_second"
            case p50 = "p50_ms"
            case p90 = "p90_ms"
            case p99 = "p99_ms"
            case p999 = "p999_ms"
            case max = "max_ms"
        }
    }

    /// Values written are gone after this, whatever happens to the program.
    private static let lifetime = Duration.seconds(600)
    private static let keyCount = 100

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
        let options = try CacheOptions(px: Int(Self.lifetime / .milliseconds(1)))
        for key in keys { _ = try await store.set(key, value, options: options) }
        let start = ContinuousClock.now
        let (histogram, errors) = await withTaskGroup(of: (LatencyHistogram, Int).self) { group in
            for task in 0..<tasks {
                group.addTask { await work(operation, value, options, from: task, until: start + duration) }
            }
            return await group.reduce(into: (LatencyHistogram(), 0)) { total, part in
                total.0.add(part.0)
                total.1 += part.1
            }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        func milliseconds(_ nanoseconds: Int) -> Double { Double(nanoseconds / 1000) / 1000 }
        return Result(
            operation: operation,
            tasks: tasks,
            bytes: bytes,
            operations: histogram.count,
            errors: errors,
            opsPerSecond: (Double(histogram.count) / seconds).rounded(),
            p50: milliseconds(histogram.quantile(0.5)),
            p90: milliseconds(histogram.quantile(0.9)),
            p99: milliseconds(histogram.quantile(0.99)),
            p999: milliseconds(histogram.quantile(0.999)),
            max: milliseconds(histogram.longest)
        )
    }

    private func work(
        _ operation: Operation,
        _ value: ByteBuffer,
        _ options: CacheOptions,
        from first: Int,
        until end: ContinuousClock.Instant
    ) async -> (LatencyHistogram, Int) {
        var histogram = LatencyHistogram()
        var errors = 0
        var index = first
        var now = ContinuousClock.now
        while now < end {
            let key = keys[index % keys.count]
            index += 1
            do {
                switch operation {
                case .get: _ = try await store.get(key)
                case .set: _ = try await store.set(key, value, options: options)
                }
                let after = ContinuousClock.now
                histogram.add(after - now)
                now = after
            } catch {
                errors += 1
                now = .now
            }
        }
        return (histogram, errors)
    }
}
