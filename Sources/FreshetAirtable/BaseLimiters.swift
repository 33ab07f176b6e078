public import Freshet
import NIOConcurrencyHelpers

/// The limiters of all bases that a process reads, one an endpoint.
///
/// Airtable counts the requests to a base over all tokens and integrations together, so everything in a process
/// that reads a base should share the limiter. It counts those of a user over all bases, too. Further tokens of a user are
/// not seen, nor are other processes, unless the clients share a pace with theirs (``AirtableClient/pace``).
public final class BaseLimiters: Sendable {
    /// Those that clients take unless they are given others.
    public static let shared = BaseLimiters()

    let spawner: any Spawner
    let interval: Duration
    let closure: Duration
    let quotaClosure: Duration
    private let limiters = NIOLockedValueBox<[String: BaseLimiter]>([:])

    /// - Parameters:
    ///   - interval: between two requests to a base. Airtable allows 200 ms; by default a little more, since exactly
    ///     that is borderline where the network makes requests catch up with each other. A tenth of it is between two
    ///     requests with one token, whatever the bases.
    ///   - closure: how long nobody asks a base after it answered 429, nor any base with the same token once a second one
    ///     has been refused meanwhile.
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

    func limiter(endpoint: String) -> BaseLimiter {
        limiters.withLockedValue { limiters in
            if let limiter = limiters[endpoint] { return limiter }
            let limiter = BaseLimiter(interval: interval, spawner: spawner)
            limiters[endpoint] = limiter
            return limiter
        }
    }
}
