import NIOCore

/// Whether the other side of a connection is still there.
///
/// Asks with a `PING` when nothing has come for a while, or when a reply is overdue. Only a server that sends nothing
/// at all until the patience is over is given up: one that is slow is not.
struct Liveness {
    enum Verdict {
        case alive, probe, dead
    }

    private let interval: TimeAmount
    private let patience: TimeAmount
    private var hasReceived = false
    private var probeEnds: NIODeadline?
    private(set) var nextCheck: NIODeadline

    init(interval: TimeAmount, patience: TimeAmount, now: NIODeadline) {
        self.interval = interval
        self.patience = patience
        nextCheck = now + interval
    }

    mutating func received() {
        hasReceived = true
    }

    mutating func probeAnswered() {
        probeEnds = nil
    }

    mutating func check(at now: NIODeadline, hasOverdue: Bool) -> Verdict {
        if let ends = probeEnds {
            guard now >= ends else { return .alive }
            guard hasReceived else { return .dead }
            // Something came, if not yet the answer.
            return wait(for: patience, from: now, probing: true)
        }
        if hasOverdue || (now >= nextCheck && !hasReceived) {
            _ = wait(for: patience, from: now, probing: true)
            return .probe
        }
        if now >= nextCheck { return wait(for: interval, from: now, probing: false) }
        return .alive
    }

    private mutating func wait(for time: TimeAmount, from now: NIODeadline, probing: Bool) -> Verdict {
        hasReceived = false
        nextCheck = now + time
        probeEnds = probing ? nextCheck : nil
        return .alive
    }
}
