import NIOCore
import RESP

/// Whether the address may lead to another server than that of the shared connection, and when to look. Pure: says what to
/// do.
struct ServerDoubt {
    /// What became of another connection to the address.
    enum Reason {
        /// It was lost then, and is there again. Connections younger than that loss lead to where this one does.
        case loss(NIODeadline)
        /// It is there, was begun then, and none was lost before.
        case start(NIODeadline)
    }

    /// Which server it is, by its own word; another one when it was started again.
    enum Identity {
        case told(String)
        case untold
        /// It has no time to tell.
        case busy
    }

    struct Answers {
        /// The server that the address leads to now.
        let found: Identity
        /// The server of the shared connection.
        let own: Identity
    }

    private var loss: NIODeadline?
    private var start: NIODeadline?
    /// Whether the loss was not looked into yet. The shared connection that is lost meanwhile was lost with the other.
    private(set) var isNew = false
    /// When the next look may begin.
    private(set) var due = NIODeadline.uptimeNanoseconds(0)
    /// Whether servers tell, as far as is known.
    private var isTold = true
    private var pausesAfterLoss: Backoff
    private var pausesAfterStart = Backoff(.seconds(1)...Duration.seconds(60))
    /// Limits how often the server is left though no connection was lost: an address of several servers leads to another
    /// each time.
    private var moves = Pace(.seconds(1)...Duration.seconds(3600))

    init(pauses: ClosedRange<Duration>) {
        pausesAfterLoss = Backoff(pauses)
    }

    mutating func add(_ reason: Reason) {
        switch reason {
        case .loss(let time):
            loss = max(loss ?? time, time)
            isNew = true
            due = .uptimeNanoseconds(0)
            pausesAfterLoss.succeeded()
        case .start(let time) where isTold:
            start = max(start ?? time, time)
        case .start:
            break
        }
    }

    /// - Parameter began: when the shared connection was begun.
    /// - Returns: `nil` if there is no need to look.
    func nextLook(at began: NIODeadline?) -> NIODeadline? {
        guard let began else { return nil }
        return isAfter(began, loss) || isAfter(began, start) ? due : nil
    }

    private func isAfter(_ began: NIODeadline, _ time: NIODeadline?) -> Bool { time.map { began < $0 } ?? false }

    /// - Parameters:
    ///   - answers: `nil` if one of the servers could not be asked.
    ///   - time: when the look began.
    ///   - began: when the shared connection was begun.
    /// - Returns: whether connections are to be made anew.
    mutating func hear(
        _ answers: Answers?,
        askedAt time: NIODeadline,
        of began: NIODeadline?,
        now: NIODeadline
    ) -> Bool {
        if let loss, loss <= time { isNew = false }
        guard let began, nextLook(at: began) != nil else { return false }
        let isLost = isAfter(began, loss)
        // Where the shared connection was made since, what was found may be what that was before.
        if let answers, began <= time {
            switch (answers.found, answers.own) {
            case (.told(let found), .told(let own)) where found == own:
                settle(until: time, now)
                return false
            // What is not told counts as another. There is no need to pace it: a loss went before.
            case _ where isLost:
                settle(until: time, now)
                return true
            // They are asked no more, but behind a loss.
            case (.untold, _), (_, .untold):
                isTold = false
                start = nil
                return false
            case (.told, .told) where moves.take(at: now):
                settle(until: time, now)
                return true
            default:
                break
            }
        }
        due = now + (isLost ? pausesAfterLoss.next() : pausesAfterStart.next())
        return false
    }

    /// What was there before the look is known.
    private mutating func settle(until time: NIODeadline, _ now: NIODeadline) {
        if let loss, loss <= time { self.loss = nil }
        if let start, start <= time { self.start = nil }
        pausesAfterLoss.succeeded()
        pausesAfterStart.succeeded()
        if loss == nil { due = now + pausesAfterStart.next() }
    }

    /// There is no connection to doubt.
    mutating func end() {
        (loss, start, isNew) = (nil, nil, false)
    }
}
