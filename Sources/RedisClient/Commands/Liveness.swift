import NIOCore
import RESP

/// Whether the other side of a connection is still there.
///
/// Asks with a `PING` when a reply is overdue, and when nothing has come for a while: early enough that a server which
/// does not answer is given up within the interval, counted from the last it sent. One that sends anything at all is
/// slow, and not given up; nor is one that still takes what was sent before the question. It is asked once an interval
/// all the same, as a matter of routine: by the answer is seen whether replies come to those whom they belong to.
struct Liveness {
    enum Verdict {
        case alive, probe, dead
    }

    /// Between checks. What comes is dated by the next check, so much too late at most.
    private let pause: TimeAmount
    private let interval: TimeAmount
    /// Silence before it asks.
    private let quiet: TimeAmount
    /// Time for the answer.
    private let patience: TimeAmount
    private var hasReceived = false
    private var silentSince: NIODeadline
    private var askedAt: NIODeadline?
    private var lastAsked: NIODeadline
    /// Whether nothing was amiss when it asked.
    private var isRoutine = false
    private(set) var nextCheck: NIODeadline

    /// - Parameter patience: goes before the interval where it is more than half of it.
    init(interval: TimeAmount, patience: TimeAmount, now: NIODeadline) {
        pause = max(.nanoseconds(interval.nanoseconds / 4), .milliseconds(5))
        quiet = max(pause, interval - pause - patience)
        (self.interval, self.patience) = (interval, patience)
        (silentSince, lastAsked) = (now, now)
        nextCheck = now + pause
    }

    mutating func received() {
        hasReceived = true
    }

    /// It is not expected to send anything.
    mutating func rested(at now: NIODeadline) {
        (hasReceived, lastAsked) = (true, now)
    }

    var isAsking: Bool { askedAt != nil }
    /// Whether the answer has as long as the server may be silent.
    var isAskingByRoutine: Bool { isAsking && isRoutine }

    /// Its time begins when it has arrived.
    mutating func probeAdvanced(at now: NIODeadline) {
        askedAt = now
    }

    mutating func probeAnswered() {
        askedAt = nil
    }

    /// - Parameter hasOverdue: whether the server has no more time for the next reply. While it has, it may work on
    ///   that, and is given up for its silence only.
    mutating func check(at now: NIODeadline, hasOverdue: Bool) -> Verdict {
        if hasReceived { (silentSince, hasReceived) = (now, false) }
        let quietEnds = silentSince + quiet
        nextCheck = now + pause
        // That is as if it were asked now.
        if isAskingByRoutine, hasOverdue { (askedAt, isRoutine) = (now, false) }
        if let askedAt {
            let limit = max(askedAt, hasOverdue ? silentSince : quietEnds) + patience
            nextCheck = min(nextCheck, limit)
            return now < limit ? .alive : .dead
        }
        let isAmiss = hasOverdue || now >= quietEnds
        if isAmiss || now >= lastAsked + interval {
            (askedAt, lastAsked, isRoutine) = (now, now, !isAmiss)
            nextCheck = min(nextCheck, now + patience)
            return .probe
        }
        nextCheck = min(nextCheck, quietEnds)
        return .alive
    }
}

extension RedisClient.Configuration {
    /// Time a server may be silent.
    var longestSilence: TimeAmount {
        TimeAmount(clamping: keepAliveInterval > .zero ? keepAliveInterval : .seconds(Int.max))
    }

    /// Time a server has to show that it is there.
    var patience: TimeAmount { TimeAmount(clamping: max(commandTimeout, .seconds(1))) }
}
