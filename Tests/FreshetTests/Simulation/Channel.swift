import NIOConcurrencyHelpers

@testable import Freshet

/// One node's subscription: messages come in their order, late. A break loses those on their way.
final class Channel: Backplane {
    private struct State {
        var receive: (@Sendable (BackplaneEvent) -> Void)?
        var isLive = false
        var number = 0
        var lastArrival = MonotonicInstant.distantPast
    }

    /// What a message takes at most.
    static let longest = Duration.milliseconds(20)

    let node: Int
    private let spawner: any Spawner
    private let chance: Chance
    private let state = NIOLockedValueBox(State())

    init(to node: Int, on spawner: any Spawner) {
        self.node = node
        self.spawner = spawner
        chance = Chance(spawner)
    }

    func listen(_ receive: @escaping @Sendable (BackplaneEvent) -> Void) async {
        state.withLockedValue { $0.receive = receive }
        become(isLive: true)
        try? await spawner.sleep(until: .distantFuture)
        state.withLockedValue { $0.receive = nil }
    }

    func send(_ event: BackplaneEvent) {
        let (isLive, number, arrival) = state.withLockedValue { state in
            state.lastArrival = max(
                state.lastArrival + .nanoseconds(1),
                spawner.now() + chance.time(upTo: Self.longest)
            )
            return (state.isLive, state.number, state.lastArrival)
        }
        guard isLive else { return }
        spawner.spawn { [self] in
            try? await spawner.sleep(until: arrival)
            let receive = state.withLockedValue { $0.number == number ? $0.receive : nil }
            receive?(event)
        }
    }

    /// It breaks, and nobody notices yet.
    func fallSilent() {
        state.withLockedValue { state in
            state.isLive = false
            state.number += 1
        }
    }

    /// It breaks, or there is a new one; what was on its way is lost.
    func become(isLive: Bool) {
        let receive = state.withLockedValue { state in
            state.isLive = isLive
            state.number += 1
            return state.receive
        }
        receive?(isLive ? .live : .lost)
    }
}
