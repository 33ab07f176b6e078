/// How long a field's value serves, and how its source is treated.
///
/// No time may be negative or longer than a hundred years; ``ttl``, ``hardDeadline``, ``softDeadline`` and ``settle`` are at
/// least a millisecond. A policy that breaks this is refused by ``FieldCatalog``, and by reads of a field outside of one, with
/// `configuration`.
public struct FieldPolicy: Sendable, Hashable {
    /// How long a value is fresh.
    public var ttl: Duration
    /// How long after that it is served while it is loaded again in the background.
    public var staleWhileRevalidate: Duration = .zero
    /// How long after its freshness it is served when the source fails.
    public var staleIfError: Duration = .zero
    /// How often a failing source is asked while a stale value is served.
    public var staleIfErrorThrottle: Duration = .seconds(30)
    /// How long it is remembered that the source has no value; zero does not remember it.
    public var negativeTTL: Duration = .zero
    /// How long a failure is remembered where there is nothing stale to serve. Doubles up to a minute.
    public var errorBackoff: Duration = .seconds(1)
    /// By what part of it, from 0 to 1, a value's freshness is shortened at random, so that many do not end at once.
    public var jitter: Double = 0
    /// How long readers wait for a load before they get what is kept beside it, if anything is; nil: until the load ends.
    public var softDeadline: Duration?
    /// Whether a load goes on when nobody waits for it any more, unless an invalidation has overtaken it.
    public var backgroundCompletion = false
    /// How long a load may take, before it is cancelled and its waiters get `sourceTimedOut`; and how long it may wait for
    /// its place among the running loads.
    public var hardDeadline: Duration = .seconds(60)
    /// How long the start of a forced load answers further forced refreshes, over all processes.
    public var minRefreshInterval: Duration = .seconds(5)
    /// How long after a forced refresh the source is asked once more, in case it had not caught up with itself; nil
    /// does not. Whether the value has changed by then is logged.
    public var settle: Duration?
    /// When the value is loaded again though it is fresh, once over all processes; nil waits for readers. Needs
    /// ``FieldCache/run()``, and the field in that cache's catalogue. Shorter than ``ttl``, readers never find it stale.
    public var refreshEvery: RefreshSchedule?
    /// Scheduled refresh pauses when nobody, in any process, has read for so long; the next read takes it up again. At
    /// least a second; zero: never.
    public var idleAfter: Duration = .seconds(24 * 3600)
    /// `max-age` of HTTP answers; zero says `no-cache`, which makes clients revalidate.
    public var httpMaxAge: Duration = .zero

    public init(ttl: Duration) { self.ttl = ttl }

    /// How long a value is kept after its freshness.
    package var staleWindow: Duration { max(staleWhileRevalidate, staleIfError) }

    /// How long an absence is stored: those who wait for the load are told of it in any case.
    var absentFor: Duration { max(negativeTTL, .milliseconds(1)) }
}

extension FieldPolicy {
    /// The longest that any of its times may be: 100 years.
    package static let longestTime = Duration.seconds(100 * 366 * 86_400)

    /// The shortest ``idleAfter`` but zero: reads are told to the store several times in it.
    package static let shortestIdle = Duration.seconds(1)

    /// What cannot be, in words.
    package var problems: [String] {
        let least = Duration.milliseconds(1)
        let times: [(name: String, time: Duration?, least: Duration)] = [
            ("ttl", ttl, least), ("hardDeadline", hardDeadline, least), ("softDeadline", softDeadline, least),
            ("settle", settle, least), ("refreshEvery", refreshEvery?.interval, RefreshSchedule.shortestInterval),
            ("staleWhileRevalidate", staleWhileRevalidate, .zero), ("staleIfError", staleIfError, .zero),
            ("staleIfErrorThrottle", staleIfErrorThrottle, .zero), ("negativeTTL", negativeTTL, .zero),
            ("errorBackoff", errorBackoff, .zero), ("minRefreshInterval", minRefreshInterval, .zero),
            ("httpMaxAge", httpMaxAge, .zero), ("idleAfter", idleAfter, .zero),
        ]
        var problems = times.compactMap { name, time, least in
            time.flatMap { Self.problem(of: $0, least: least) }.map { "\(name) \($0)" }
        }
        if idleAfter > .zero, idleAfter < Self.shortestIdle {
            problems.append("idleAfter must be zero or at least a second")
        }
        if !(0...1).contains(jitter) { problems.append("jitter must be between 0 and 1") }
        return problems
    }

    private static func problem(of time: Duration, least: Duration) -> String? {
        if time > longestTime { return "must be at most a hundred years" }
        guard time < least else { return nil }
        return switch least {
        case .zero: "must not be negative"
        case .milliseconds(1): "must be at least a millisecond"
        default: "must be at least \(least)"
        }
    }
}
