import Foundation

enum Workload: String {
    /// Reads; all keys are there.
    case get
    /// Nine reads, then a write; all keys are there.
    case mixed = "90/10"
    /// Reads, with a write after each miss; a quarter of the keys fit.
    case readThrough = "read-through"
    /// Reads of one key.
    case hammer
}

/// The keys, and which is asked for when: Zipf's law with exponent 0.99.
final class Plan: Sendable {
    static let mask = (1 << 20) - 1
    let keys: [String]
    let picks: [Int32]
    let operations: Int

    init(operations: Int, count: Int = 100_000) {
        self.operations = operations
        keys = (0..<count).map { "/api/fields/key-" + String(format: "%06d", $0) }
        var sum = 0.0
        let cumulative = (1...count).map {
            sum += pow(Double($0), -0.99)
            return sum
        }
        // So that popular keys are not neighbours in memory.
        let places = (0..<Int32(count)).shuffled()
        picks = (0...Self.mask).map { _ in
            let wanted = Double.random(in: 0..<sum)
            var range = 0..<count
            while range.count > 1 {
                let middle = (range.lowerBound + range.upperBound) / 2
                range = cumulative[middle - 1] <= wanted ? middle..<range.upperBound : range.lowerBound..<middle
            }
            return places[range.lowerBound]
        }
    }

    /// Runs `body` on so many threads at once and gives the wall time per operation.
    func time(threads: Int, _ operations: Int, _ body: @escaping @Sendable (_ offset: Int) -> Void) -> Double {
        let ready = DispatchSemaphore(value: 0)
        let start = DispatchSemaphore(value: 0)
        let done = DispatchSemaphore(value: 0)
        for thread in 0..<threads {
            Thread.detachNewThread {
                ready.signal()
                start.wait()
                body(thread * 7919 * 13)
                done.signal()
            }
        }
        for _ in 0..<threads { ready.wait() }
        let clock = ContinuousClock()
        let elapsed = clock.measure {
            for _ in 0..<threads { start.signal() }
            for _ in 0..<threads { done.wait() }
        }
        return elapsed / .nanoseconds(1) / Double(operations * threads)
    }
}

protocol Contender {
    var name: String { get }
    func run(_ workload: Workload, threads: Int) -> Double
}
