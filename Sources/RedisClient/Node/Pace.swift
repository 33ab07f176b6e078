import NIOCore
import RESP

/// How often something may happen: after pauses that grow as long as one time follows the other.
struct Pace {
    private var backoff: Backoff
    /// Nothing happened for so long after a pause: the next pause is short again.
    private let quiet: TimeAmount
    private var due = NIODeadline.uptimeNanoseconds(0)

    init(_ pauses: ClosedRange<Duration>) {
        backoff = Backoff(pauses)
        quiet = TimeAmount(clamping: pauses.upperBound)
    }

    /// - Returns: whether it may happen now; then it counts as done.
    mutating func take(at now: NIODeadline = .now()) -> Bool {
        guard now >= due else { return false }
        if now - due >= quiet { backoff.succeeded() }
        due = now + backoff.next()
        return true
    }
}
