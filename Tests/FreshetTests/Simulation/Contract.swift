import Freshet

/// Finds what a history must not hold.
struct Contract {
    struct Breach: Error, CustomStringConvertible {
        let description: String
    }

    /// What a call got: a value, and the load or finding that it is from at the latest.
    struct Answer {
        let number: Int
        let call: History.Call
        let end: History.Moment
        let status: FieldReading.Status
        let detail: FieldReading.Detail?
        let load: History.Load
        let loadEnd: History.Moment
    }

    struct Change {
        let number: Int
        let call: History.Call
        /// When a load must have begun that is not from before.
        let limit: History.Moment
    }

    /// For what happens at the same time, nearly.
    static let slack = Duration.milliseconds(100)
    /// What the store takes at most, a call to it and one more.
    static let storeTime = Duration.milliseconds(1200)
    /// How soon a node that could not reach the store asks it again: the breaker's longest pause, and a margin.
    static let recovery = Duration.seconds(12)
    /// What no call may exceed: two loads of other nodes that died, and one of its own.
    static let longestCall = Duration.seconds(45)

    let policy: FieldPolicy
    /// How soon other nodes heed an invalidation.
    let bound: Duration
    let history: History
    let loads: [History.Load]
    let calls: [History.Call]
    /// What is no read.
    let changes: [Change]
    /// When a load must have begun that is not from before a forced one.
    let limitsOfLoads: [MonotonicInstant?]

    /// - Parameter recheck: how long a node believes what it holds where nobody tells it of changes.
    init(of history: History, under policy: FieldPolicy, recheck: Duration = .seconds(2)) {
        bound = recheck + .seconds(1)
        self.history = history
        self.policy = policy
        loads = history.loads
        calls = history.calls
        changes = calls.enumerated().filter(\.element.mayInvalidate).map { number, call in
            Change(number: number, call: call, limit: Self.limit(of: call, in: history))
        }
        limitsOfLoads = loads.map { $0.isForced ? Self.limit(of: $0, in: history) : nil }
    }

    /// - Parameters:
    ///   - isCalm: whether every node reached the store throughout, and no other program did.
    ///   - isCrowded: whether loads wait for those of another field.
    ///   - isTold: whether nodes are told of what others change.
    func check(isCalm: Bool, isCrowded: Bool = false, isTold: Bool = false) throws {
        for (number, call) in calls.enumerated() {
            guard let end = call.end else { throw breach("C3: call \(number) never ended", call.begin, call.begin) }
            if end.time - call.begin.time > Self.longestCall {
                throw breach("C3: call \(number) took \(end.time - call.begin.time)", call.begin, end)
            }
            switch call.outcome {
            case .value(let value, let status, let detail, isStored: _):
                let answer = try answer(number, call, end, value, status, detail)
                try checkInvalidations(before: answer)
                try checkForcedLoads(before: answer)
                try checkForce(answer)
                try checkAge(answer)
            case .failed(.absent):
                try checkAbsence(number, call, end)
            default: break
            }
        }
        try checkCooldown(isCalm: isCalm)
        guard isCalm else { return }
        try checkOneLoad()
        try checkForcedOnce()
        try checkWaits(Self.storeTime + (isCrowded ? .milliseconds(1600) : .zero))
        try checkPatience(isCrowded ? policy.hardDeadline : .zero)
        try checkStaleIfError()
        // What is loaded on schedule is not told to readers whose flight waits for its place.
        if policy.refreshEvery == nil { try checkPromptness(isTold: isTold) }
    }

    /// In the end all is well, and every node answers.
    func checkEnd(isOver: Bool, nodes: [Int]) throws {
        guard isOver else { throw Breach(description: "C3: the simulation stands still") }
        for node in nodes {
            guard let last = calls.last(where: { $0.node == node }), let end = last.end else {
                throw Breach(description: "C3: node \(node) stands still")
            }
            if case .value = last.outcome { continue }
            throw breach("in the end node \(node) answers \(last.outcome)", last.begin, end)
        }
    }

    private func answer(
        _ number: Int,
        _ call: History.Call,
        _ end: History.Moment,
        _ value: Int,
        _ status: FieldReading.Status,
        _ detail: FieldReading.Detail?
    ) throws -> Answer {
        let able = loads.filter { $0.result == .value(value) && ($0.end.map { $0 < end } ?? false) }
        guard let load = able.max(by: { $0.begin < $1.begin }), let loadEnd = able.compactMap(\.end).max() else {
            throw breach("call \(number) got a value from nowhere", call.begin, end)
        }
        return Answer(
            number: number,
            call: call,
            end: end,
            status: status,
            detail: detail,
            load: load,
            loadEnd: loadEnd
        )
    }

    func breach(_ answer: Answer, _ text: String) -> Breach {
        breach("\(text): call \(answer.number), \(answer.status)", answer.load.begin, answer.end)
    }

    func breach(_ text: String, _ first: History.Moment, _ last: History.Moment) -> Breach {
        Breach(description: "\(text)\n\(policy)\n\(history.transcript(from: first, to: last))")
    }
}
