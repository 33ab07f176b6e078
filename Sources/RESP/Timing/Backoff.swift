package import NIOCore

/// Times between attempts: exponential, with jitter, so that the clients of a restarted server do not come all at once.
package struct Backoff: Sendable {
    private let shortest: TimeAmount
    private let longest: TimeAmount
    private var failures = 0

    package init(_ bounds: ClosedRange<Duration>) {
        // Zero would stay zero, however often it is doubled.
        shortest = max(TimeAmount(clamping: bounds.lowerBound), .milliseconds(1))
        longest = max(TimeAmount(clamping: bounds.upperBound), shortest)
    }

    package mutating func succeeded() {
        failures = 0
    }

    /// The time to wait after one more failure.
    ///
    /// - Parameter jitter: a random number from 0 to 1, which takes off up to half.
    package mutating func next(jitter: Double = .random(in: 0...1)) -> TimeAmount {
        defer { failures += 1 }
        return pause(after: failures, jitter: jitter)
    }

    /// The time to wait after a failure that so many went before.
    package func pause(after failures: Int, jitter: Double = .random(in: 0...1)) -> TimeAmount {
        let (doubled, overflow) = shortest.nanoseconds.multipliedReportingOverflow(by: 1 << min(failures, 20))
        let whole = overflow ? longest.nanoseconds : min(doubled, longest.nanoseconds)
        return .nanoseconds(whole - Int64(Double(whole) / 2 * jitter))
    }
}
