import Freshet
import Logging

/// What processes do together, so that none of them meets the limit that all have spent.
extension AirtableClient {
    /// A closure that ends sooner is waited for: processes that were closed together come back at about the same time. Where
    /// no turn is to be had, one is asked for after that time at the latest.
    private static let shortPause = Duration.seconds(1)

    /// Waits for a turn of this process and, where processes share a pace, for one that no other has. One at a time does that
    /// for each base, so that processes have their turns in between, and few are taken in vain.
    ///
    /// - Throws: what `BaseLimiter.acquire(_:token:holds:)` does. A base that is closed in another process is in this one.
    func waitForTurn(_ base: String) async throws {
        guard let pace else { return try await limiter.acquire(base, token: token) }
        try await limiter.acquire(base, token: token, holds: true)
        defer { limiter.release(base) }
        try await waitForTurn(base, of: pace)
        // However late a store answers, requests keep their distance.
        try await limiter.waitForSlot(base, token: token)
    }

    /// Where there is no turn to be had, that of this process will do.
    private func waitForTurn(_ base: String, of pace: any SharedPace) async throws {
        while true {
            let (asked, allowance) = (limiters.spawner.now(), limiter.allowance(of: base))
            guard let turn = try await turn(base, of: pace, allowance) else { return }
            switch turn {
            case .after(let time):
                do {
                    try await wait(time)
                } catch {
                    limiter.missTurn(of: base)
                    throw error
                }
                guard limiter.noteTurn(of: base, asked: asked, wait: time, allowance: allowance) else { return }
            case .closed(let time) where time > Self.shortPause:
                return limiter.close(base, token: nil, for: min(time, limiters.closure), because: .rateLimit)
            case .closed(let time), .full(let time): try await wait(min(time, Self.shortPause))
            }
            try limiter.check(base, token: token)
        }
    }

    private func wait(_ time: Duration) async throws {
        if time > .zero { try await limiters.spawner.sleep(for: time) }
    }

    /// Closes a base for all processes. That is of no consequence to the caller, cancelled or not.
    func closeSharedPace(_ base: String) async {
        guard let pace else { return }
        let (name, time) = (Self.paceName(base), limiters.closure)
        await limiters.spawner.spawn { try? await pace.close(name, for: time) }.wait()
    }

    /// Airtable counts by base, whichever way it is reached.
    private static func paceName(_ base: String) -> String { "airtable:\(base.percentEncoded)" }

    /// - Returns: nil where the pace fails.
    private func turn(
        _ base: String,
        of pace: any SharedPace,
        _ allowance: Duration
    ) async throws -> SharedTurn? {
        do {
            let turn = try await pace.turn(Self.paceName(base), every: limiters.interval + allowance)
            limiter.note(nil, of: base)
            return turn
        } catch {
            limiter.missTurn(of: base)
            if Task.isCancelled { throw CancellationError() }
            report(error, base)
            return nil
        }
    }

    /// Once for a base, when it begins. That a store is away its own log tells, too.
    private func report(_ error: any Error, _ base: String) {
        let isRefused = (error as? CacheError)?.code == .storeRejected
        guard limiter.note(isRefused ? .refused : .away, of: base) else { return }
        let metadata: Logger.Metadata = ["airtable.base": "\(base)", "error": "\(error)"]
        if isRefused {
            logger.warning("the store keeps no pace for Airtable: other processes are not seen", metadata: metadata)
        } else {
            logger.info("Airtable's pace is unknown for now: other processes are not seen", metadata: metadata)
        }
    }
}
