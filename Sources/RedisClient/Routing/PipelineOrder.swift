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
    private var places: [Place: Access] = [:]
    /// Of those that speak of all that a node has.
    private var wide: Access?

    mutating func add(_ part: PipelinePlan.Part) {
        let access = Access(part)
        strongest = max(strongest ?? access, access)
        places[part.place] = max(places[part.place] ?? access, access)
        if part.place.isWide { wide = max(wide ?? access, access) }
    }

    /// Whether something may depend on which comes first: both have their keys in one place, and one of them writes.
    func conflicts(with part: PipelinePlan.Part) -> Bool {
        let others = part.place.isWide ? [strongest] : [places[part.place], wide]
        return others.contains { other in
            guard let other else { return false }
            return other == .write || Access(part) == .write
        }
    }
}

extension Place {
    fileprivate var isWide: Bool {
        if case .primary = self { return true }
        return false
    }
}
