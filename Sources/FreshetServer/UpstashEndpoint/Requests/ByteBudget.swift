import Synchronization

/// How many bytes may be held in all.
final class ByteBudget: Sendable {
    private let limit: Int
    private let taken = Atomic(0)

    init(limit: Int) { self.limit = limit }

    /// A part of the budget, given back with the last reference.
    final class Share: Sendable {
        private let budget: ByteBudget
        private let taken = Atomic(0)

        fileprivate init(_ budget: ByteBudget) { self.budget = budget }

        deinit { budget.taken.wrappingSubtract(taken.load(ordering: .relaxed), ordering: .relaxed) }

        /// What could be taken now.
        var left: Int { budget.limit - budget.taken.load(ordering: .relaxed) }

        /// False if there is not so much left; then nothing is taken.
        func take(_ bytes: Int) -> Bool {
            guard budget.taken.add(bytes, upTo: budget.limit) else { return false }
            taken.wrappingAdd(bytes, ordering: .relaxed)
            return true
        }

        /// Gives back what was taken, or takes more, until it is another number of bytes, in one step. False if there is
        /// not so much left; then nothing changes.
        func exchange(_ bytes: Int, for others: Int) -> Bool {
            if others > bytes { return take(others - bytes) }
            giveBack(bytes - others)
            return true
        }

        func giveBack(_ bytes: Int) {
            taken.wrappingSubtract(bytes, ordering: .relaxed)
            budget.taken.wrappingSubtract(bytes, ordering: .relaxed)
        }
    }

    func share() -> Share { Share(self) }
}

extension Atomic<Int> {
    /// False, and nobody sees any of it meanwhile, if it would be more than the limit.
    fileprivate func add(_ amount: Int, upTo limit: Int) -> Bool {
        var current = load(ordering: .relaxed)
        while amount <= limit - current {
            let (exchanged, original) = weakCompareExchange(
                expected: current,
                desired: current + amount,
                ordering: .relaxed
            )
            if exchanged { return true }
            current = original
        }
        return false
    }
}
