import RESP

/// Who listens to what. Pure: says what to send, and whom to tell what.
struct SubscriptionTable {
    private struct Subscription {
        var targets: Set<SubscriptionTarget>
        /// Targets that this connection has not confirmed.
        var missing: Set<SubscriptionTarget>
        /// Whether it was complete on an earlier connection.
        var isRenewal = false
    }

    enum Completion: Equatable {
        case subscribed(UInt64)
        case resubscribed(UInt64)
    }

    private var subscriptions: [UInt64: Subscription] = [:]
    private var listeners: [SubscriptionTarget: Set<UInt64>] = [:]
    private var confirmed: Set<SubscriptionTarget> = []

    var targets: [SubscriptionTarget] { Array(listeners.keys) }

    func listeners(of target: SubscriptionTarget) -> Set<UInt64> {
        listeners[target] ?? []
    }

    /// Whether this connection has confirmed all that it listens to. Before, what it would hear may have gaps.
    func isComplete(_ id: UInt64) -> Bool {
        subscriptions[id]?.missing.isEmpty == true
    }

    /// - Returns: what must be subscribed to for it, and whether everything is already.
    mutating func add(_ id: UInt64, _ targets: Set<SubscriptionTarget>) -> (new: [SubscriptionTarget], isComplete: Bool)
    {
        let new = targets.filter { listeners[$0] == nil }
        for target in targets { listeners[target, default: []].insert(id) }
        let missing = targets.subtracting(confirmed)
        subscriptions[id] = Subscription(targets: targets, missing: missing)
        return (Array(new), missing.isEmpty)
    }

    /// - Returns: what nobody listens to any longer.
    mutating func remove(_ id: UInt64) -> [SubscriptionTarget] {
        guard let subscription = subscriptions.removeValue(forKey: id) else { return [] }
        return subscription.targets.filter { target in
            listeners[target]?.remove(id)
            guard listeners[target]?.isEmpty == true else { return false }
            listeners[target] = nil
            confirmed.remove(target)
            return true
        }
    }

    /// The server confirmed a target.
    ///
    /// - Returns: the subscriptions that this completes.
    mutating func confirm(_ target: SubscriptionTarget) -> [Completion] {
        guard let waiting = listeners[target] else { return [] }
        confirmed.insert(target)
        return waiting.compactMap { id -> Completion? in
            guard subscriptions[id]?.missing.remove(target) != nil, subscriptions[id]?.missing.isEmpty == true else {
                return nil
            }
            let isRenewal = subscriptions[id]?.isRenewal == true
            subscriptions[id]?.isRenewal = true
            return isRenewal ? .resubscribed(id) : .subscribed(id)
        }
    }

    /// Everything has to be subscribed to again.
    ///
    /// - Returns: the subscriptions that were complete.
    mutating func disconnect() -> [UInt64] {
        confirmed = []
        var interrupted: [UInt64] = []
        for (id, subscription) in subscriptions {
            if subscription.missing.isEmpty {
                interrupted.append(id)
                subscriptions[id]?.isRenewal = true
            }
            subscriptions[id]?.missing = subscription.targets
        }
        return interrupted
    }
}

extension SubscriptionTarget {
    var subscribe: RESPCommand {
        switch self {
        case .channel(let name): RESPCommand("SUBSCRIBE", name)
        case .pattern(let name): RESPCommand("PSUBSCRIBE", name)
        }
    }

    var unsubscribe: RESPCommand {
        switch self {
        case .channel(let name): RESPCommand("UNSUBSCRIBE", name)
        case .pattern(let name): RESPCommand("PUNSUBSCRIBE", name)
        }
    }
}
