import RESP

/// Parts of a pipeline that have been run, for those before them that have not: whether these may still be. Pure.
struct PipelineOrder {
    private enum Access: Comparable {
        case read, write

        init(_ part: PipelinePlan.Part) {
            self = part.command.isReadOnly ? .read : .write
        }
    }

    private var strongest: Access?
    private var slots: [Int: Access] = [:]
    /// The strongest access of those that speak of all keys.
    private var wide: Access?
    private var hasMessage = false

    mutating func add(_ part: PipelinePlan.Part) {
        if part.isMessage { return hasMessage = true }
        let access = Access(part)
        guard let concerned = part.slots else {
            wide = max(wide ?? access, access)
            strongest = max(strongest ?? access, access)
            return
        }
        for slot in concerned {
            slots[slot] = max(slots[slot] ?? access, access)
            strongest = max(strongest ?? access, access)
        }
    }

    /// Whether something may depend on which comes first: both have keys of one slot, and one of them writes; or both
    /// are messages.
    func conflicts(with part: PipelinePlan.Part) -> Bool {
        if part.isMessage { return hasMessage }
        let others = part.slots.map { concerned in concerned.map { slots[$0] } + (concerned.isEmpty ? [] : [wide]) }
        return (others ?? [strongest]).contains { other in
            guard let other else { return false }
            return other == .write || Access(part) == .write
        }
    }
}

extension PipelinePlan.Part {
    /// The slots of its keys, which are there without a cluster, too; `nil` if it may concern all keys.
    fileprivate var slots: [Int]? {
        let rule = CommandRule.of(command)
        switch rule.spread {
        case .everyPrimary, .primariesInTurn: return nil
        case .oneSlot, .parts, .byChannel: break
        }
        var slots: [Int] = []
        rule.keys.forEachPosition(in: command) { position in
            if let key = command.argument(at: position) { slots.append(HashSlot.of(key)) }
        }
        // A script that names no keys may use any.
        return slots.isEmpty && rule.keys != .none ? nil : slots
    }
}
