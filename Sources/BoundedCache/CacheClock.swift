#if canImport(Darwin)
internal import Darwin
#elseif canImport(Musl)
internal import Musl
#else
internal import Glibc
#endif

/// The monotonic time a ``BoundedCache`` counts deadlines on.
public struct CacheClock: Sendable {
    @usableFromInline let reading: (@Sendable () -> UInt64)?

    /// The machine's monotonic clock.
    public static let system = CacheClock(reading: nil)

    private init(reading: (@Sendable () -> UInt64)?) {
        self.reading = reading
    }

    /// A clock of your own: a closure that gives the time since any fixed origin and never goes back. It is called
    /// under no lock of the cache.
    public init(_ now: @escaping @Sendable () -> Duration) {
        let start = now()
        self.init(reading: { (now() - start).cacheNanoseconds })
    }

    /// Any clock that counts in `Duration`, such as a test clock.
    public init<C: Clock>(_ clock: C) where C.Duration == Duration {
        let start = clock.now
        self.init(reading: { start.duration(to: clock.now).cacheNanoseconds })
    }

    /// Nanoseconds since a fixed origin.
    @usableFromInline
    var now: UInt64 {
        if let reading { return reading() }
        return systemTime(CLOCK_MONOTONIC)
    }

    /// The time by a clock of the caller's, to be asked for while no lock is held; 0 for the system's.
    @inlinable
    var reported: UInt64 { reading?() ?? 0 }

    /// Whether `deadline` is reached, given what was `reported`.
    ///
    /// The coarse system clock costs a fifth of the exact one and lags behind it, so it settles all but the deadlines
    /// that are near.
    @inlinable
    func isPast(_ deadline: UInt64, reported: UInt64) -> Bool {
        if reading != nil { return reported >= deadline }
        let coarse = Self.coarseSystemTime()
        return coarse >= deadline || (deadline - coarse < Self.coarseLag && now >= deadline)
    }

    /// More than the coarse clock lags: a tick, and longer where a virtual machine's processor that keeps the time
    /// stands still.
    @usableFromInline static var coarseLag: UInt64 { 1_000_000_000 }

    @usableFromInline
    static func coarseSystemTime() -> UInt64 {
        #if os(Linux)
        systemTime(CLOCK_MONOTONIC_COARSE)
        #else
        systemTime(CLOCK_MONOTONIC)
        #endif
    }
}

private func systemTime(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

extension Duration {
    /// Nanoseconds; 0 when negative, and held at 2^62 (146 years), which leaves room to add to.
    @usableFromInline
    var cacheNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 1 << 32 else { return 1 << 62 }
        return UInt64(seconds) &* 1_000_000_000 &+ UInt64(attoseconds / 1_000_000_000)
    }
}
