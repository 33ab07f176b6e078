import AsyncHTTPClient
import NIOCore
import RESP

/// The stream of one target, through all attempts at it.
struct SubscriptionLink {
    private static let pauses = Duration.milliseconds(20)...Duration.seconds(5)
    /// Nobody is believed who says to wait longer.
    private static let longestWait = Duration.seconds(600)

    /// Names the attempt; what belongs to an older one is ignored.
    var attempt = 0
    var task: HTTPClient.Task<Void>?
    var lastSign = NIODeadline.now()
    private var confirmation: NIODeadline?
    private var backoff = Backoff(pauses)

    var isConfirmed: Bool { confirmation != nil }

    /// - Parameter event: `nil` for a sign of life.
    mutating func received(_ event: SubscriptionTarget.Event?, at time: NIODeadline) {
        switch event {
        case .confirmed: confirmation = confirmation ?? time
        case .message: backoff.succeeded()
        case nil: break
        }
        // Without a confirmation no sign of life makes up for it.
        if isConfirmed { lastSign = time }
    }

    /// A confirmation alone does not make up for a loss: who confirms and ends the stream at once would be asked without
    /// a pause. A message does, or some time.
    ///
    /// - Parameter wait: what the service says to wait.
    /// - Returns: how long to wait before the next attempt.
    mutating func lost(
        at time: NIODeadline,
        toldToWait wait: Duration? = nil,
        jitter: Double = .random(in: 0...1)
    ) -> TimeAmount {
        if let confirmation, time - confirmation >= TimeAmount(clamping: Self.pauses.upperBound) { backoff.succeeded() }
        confirmation = nil
        task = nil
        return backoff.next(jitter: jitter) + TimeAmount(clamping: min(wait ?? .zero, Self.longestWait))
    }
}
