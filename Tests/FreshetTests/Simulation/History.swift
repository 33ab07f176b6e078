import Freshet
import NIOConcurrencyHelpers

/// What happened, in the order in which it happened.
final class History: Sendable {
    struct Load: Sendable {
        enum Result: Sendable, Equatable { case running, value(Int), absent, failed, cancelled }

        /// nil: another program wrote it.
        let node: Int?
        let isForced: Bool
        let begin: Moment
        /// When the store last let its node force a load, before that.
        var leave: Moment?
        var end: Moment?
        var result = Result.running
    }

    enum Operation: Sendable, Equatable {
        case read
        case readYounger(Duration)
        case refresh(purge: Bool)
        case invalidate(Invalidation)
    }

    enum Outcome: Sendable, Equatable {
        case running
        case value(Int, FieldReading.Status, detail: FieldReading.Detail?, isStored: Bool)
        case invalidated(InvalidationOutcome)
        case failed(CacheError.Code)
        case cancelled
    }

    /// What a node holds.
    struct Held: Sendable {
        let value: Int
        /// How long yet that is fresh, or served while it is loaded again.
        let servedFor: Duration
        /// How long yet it is served once the soft deadline is over.
        let keptFor: Duration
    }

    struct Call: Sendable {
        let node: Int
        let operation: Operation
        /// By its node, as it begins.
        let held: Held?
        let begin: Moment
        var end: Moment?
        var outcome = Outcome.running

        /// Whether it is no read.
        var mayInvalidate: Bool {
            switch operation {
            case .read, .readYounger: false
            case .refresh, .invalidate: true
            }
        }
    }

    enum TroubleKind {
        case store
        /// Messages may be missed, and the node knows.
        case gap
        /// The same, and it does not know yet.
        case unheardGap
        /// Not all nodes are back that know what a store has lost which has started again.
        case lostWrites
    }

    private struct Trouble {
        /// nil: any.
        let node: Int?
        let kind: TroubleKind
        let begin: Moment
        var end: Moment?
    }

    /// A point in time, and its place among those of the same instant.
    struct Moment: Sendable, Comparable {
        let time: MonotonicInstant
        let place: Int

        static func < (lhs: Self, rhs: Self) -> Bool { lhs.place < rhs.place }
    }

    private struct State {
        var loads: [Load] = []
        var otherLoads: [Load] = []
        var calls: [Call] = []
        var troubles: [Trouble] = []
        var nodes = 0
        var leaves: [(node: Int, moment: Moment)] = []
        var lines: [(moment: Moment, text: String)] = []

        /// - Returns: now.
        mutating func note(_ text: String, at time: MonotonicInstant) -> Moment {
            let moment = Moment(time: time, place: lines.count)
            lines.append((moment, text))
            return moment
        }
    }

    private let spawner: any Spawner
    private let state = NIOLockedValueBox(State())

    init(_ spawner: any Spawner) { self.spawner = spawner }

    var loads: [Load] { state.withLockedValue { $0.loads } }
    /// Those of another field, which take places too.
    var otherLoads: [Load] { state.withLockedValue { $0.otherLoads } }
    var calls: [Call] { state.withLockedValue { $0.calls } }
    /// When the store let nodes force a load, though they may not have begun it.
    var leaves: [Moment] { state.withLockedValue { $0.leaves.map(\.moment) } }

    func note(_ text: String) {
        state.withLockedValue { _ = $0.note(text, at: spawner.now()) }
    }

    func nextNode() -> Int {
        state.withLockedValue { state in
            defer { state.nodes += 1 }
            return state.nodes
        }
    }

    /// - Returns: the load's number, which is the value that it brings.
    func beginLoad(on node: Int?, isForced: Bool = false) -> Int {
        state.withLockedValue { state in
            let number = state.loads.count
            let whose = node.map { "node \($0)" } ?? "another program"
            let now = state.note("\(whose): load \(number)\(isForced ? ", forced" : "")", at: spawner.now())
            let leave = state.leaves.last { $0.node == node }?.moment
            state.loads.append(Load(node: node, isForced: isForced, begin: now, leave: leave))
            return number
        }
    }

    func noteLeave(of node: Int) {
        state.withLockedValue { state in
            let now = state.note("node \(node) may force a load", at: spawner.now())
            state.leaves.append((node, now))
        }
    }

    func endLoad(_ number: Int, _ result: Load.Result) {
        state.withLockedValue { state in
            state.loads[number].end = state.note("load \(number) → \(result)", at: spawner.now())
            state.loads[number].result = result
        }
    }

    /// - Returns: the number of a load of another field.
    func beginOtherLoad(on node: Int) -> Int {
        state.withLockedValue { state in
            let number = state.otherLoads.count
            let now = state.note("node \(node): other load \(number)", at: spawner.now())
            state.otherLoads.append(Load(node: node, isForced: false, begin: now))
            return number
        }
    }

    func endOtherLoad(_ number: Int) {
        state.withLockedValue { state in
            state.otherLoads[number].end = state.note("other load \(number) has ended", at: spawner.now())
        }
    }

    func begin(_ operation: Operation, on node: Int, holding held: Held? = nil) -> Int {
        state.withLockedValue { state in
            let number = state.calls.count
            let holding = held.map { ", holding \($0.value)" } ?? ""
            let now = state.note("node \(node): call \(number), \(operation)\(holding)", at: spawner.now())
            state.calls.append(Call(node: node, operation: operation, held: held, begin: now))
            return number
        }
    }

    func end(_ number: Int, _ outcome: Outcome) {
        state.withLockedValue { state in
            state.calls[number].end = state.note("call \(number) → \(outcome)", at: spawner.now())
            state.calls[number].outcome = outcome
        }
    }

    /// - Returns: its number.
    func beginTrouble(_ node: Int?, _ what: String, _ kind: TroubleKind) -> Int {
        state.withLockedValue { state in
            let now = state.note("\(node.map { "node \($0): " } ?? "")\(what)", at: spawner.now())
            state.troubles.append(Trouble(node: node, kind: kind, begin: now))
            return state.troubles.count - 1
        }
    }

    func endTrouble(_ number: Int) {
        state.withLockedValue { state in
            let node = state.troubles[number].node.map { "node \($0): " } ?? ""
            state.troubles[number].end = state.note("\(node)trouble is over", at: spawner.now())
        }
    }

    /// Whether a node, or any, was in no trouble from so long before an instant until another one.
    func isWell(
        _ node: Int?,
        _ kinds: [TroubleKind] = [.store, .gap, .unheardGap],
        for time: Duration,
        before begin: MonotonicInstant,
        to end: MonotonicInstant
    ) -> Bool {
        state.withLockedValue { state in
            !state.troubles.contains { trouble in
                (node == nil || trouble.node == node) && kinds.contains(trouble.kind) && trouble.begin.time <= end
                    && (trouble.end.map { $0.time + time >= begin } ?? true)
            }
        }
    }

    /// What led up to the last of two moments, for whoever looks for the reason.
    func transcript(from first: Moment, to last: Moment) -> String {
        state.withLockedValue { state in
            let earliest = first.time + .seconds(-6)
            return state.lines[...last.place].filter { $0.moment.time >= earliest }.suffix(60)
                .map { "\(Double($0.moment.time.nanoseconds) / 1e9) \($0.text)" }
                .joined(separator: "\n")
                .replacing("Freshet.", with: "").replacing("FieldReading.", with: "")
        }
    }
}
