/// A point on the process's monotonic clock, in nanoseconds since an arbitrary origin. Arithmetic saturates.
public struct MonotonicInstant: Sendable, Hashable, Comparable {
    public var nanoseconds: Int64

    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let distantFuture = MonotonicInstant(nanoseconds: .max)
    public static let distantPast = MonotonicInstant(nanoseconds: .min)

    @inlinable
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    @inlinable
    public static func + (instant: Self, duration: Duration) -> Self {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.clampedNanoseconds)
        return Self(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// The time from `rhs` to `lhs`; negative if `rhs` is later.
    @inlinable
    public static func - (lhs: Self, rhs: Self) -> Duration {
        let (difference, overflow) = lhs.nanoseconds.subtractingReportingOverflow(rhs.nanoseconds)
        return .nanoseconds(overflow ? (lhs < rhs ? .min : .max) : difference)
    }
}

extension Duration {
    /// Nanoseconds, at most about 292 years either way.
    @inlinable
    public var clampedNanoseconds: Int64 {
        if self >= Duration.nanoseconds(Int64.max) { return .max }
        if self <= Duration.nanoseconds(Int64.min) { return .min }
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    /// Milliseconds, rounded towards zero.
    public var clampedMilliseconds: Int64 { clampedNanoseconds / 1_000_000 }
}
