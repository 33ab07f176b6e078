@testable import Freshet

/// What a simulation decides.
extension Chance {
    /// True so often of a hundred times.
    func percent(_ share: Int) -> Bool { Int(next() % 100) < share }

    /// Uniform between none and a time.
    func time(upTo longest: Duration) -> Duration {
        .nanoseconds(Int64(next() % UInt64(max(1, longest.clampedNanoseconds))))
    }

    func pick<Element>(_ elements: [Element]) -> Element { elements[Int(next() % UInt64(elements.count))] }
}
