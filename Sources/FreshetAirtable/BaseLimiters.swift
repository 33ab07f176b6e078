public import Freshet
import NIOConcurrencyHelpers

/// The limiters of all bases that a process reads, one a base and endpoint.
///
/// Airtable counts the requests to a base over all tokens and integrations together, so everything in a process
/// that reads a base should share the limiter. Other processes are not seen.
public final class BaseLimiters: Sendable {
    /// Those that clients take unless they are given others.
    public static let shared = BaseLimiters()

    let spawner: any Spawner
    private let interval: Duration
    let closure: Duration
    let quotaClosure: Duration
    private let limiters = NIOLockedValueBox<[Key: BaseLimiter]>([:])

    private struct Key: Hashable {
        var endpoint: String
        var base: String
    }

    /// - Parameters:
    ///   - interval: between two requests to a base. Airtable allows 200 ms; by default a little more, since exactly
    ///     that is borderline where the network makes requests catch up with each other.
    ///   - closure: how long nobody asks a base after it answered 429.
    ///   - quotaClosure: how long nobody asks a base whose calls of the month are spent. Asking changes nothing until
    ///   the next month, or until somebody upgrades the plan.
    ///   - spawner: where they take time from.
    public init(
        interval: Duration = .milliseconds(215),
        closure: Duration = .seconds(30),
        quotaClosure: Duration = .seconds(3600),
        spawner: any Spawner = SystemSpawner()
    ) {
        self.interval = interval
        self.closure = closure
        self.quotaClosure = quotaClosure
        self.spawner = spawner
    }

    func limiter(endpoint: String, base: String) -> BaseLimiter {
        limiters.withLockedValue { limiters in
            let key = Key(endpoint: endpoint, base: base)
            if let limiter = limiters[key] { return limiter }
            let limiter = BaseLimiter(base: base, interval: interval, spawner: spawner)
            limiters[key] = limiter
            return limiter
        }
    }
}
