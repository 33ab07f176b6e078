import Synchronization

/// How many bytes all requests together may hold.
final class ByteBudget: Sendable {
    private let limit: Int
    private let taken = Atomic(0)

    init(limit: Int) { self.limit = limit }

    /// A part of the budget, given back with the last reference.
    final class Share: Sendable {
        private let budget: ByteBudget
        private let limit: Int
        private let taken = Atomic(0)

        fileprivate init(_ budget: ByteBudget, limit: Int) {
            self.budget = budget
            self.limit = limit
        }

        deinit { budget.taken.wrappingSubtract(taken.load(ordering: .relaxed), ordering: .relaxed) }

        /// False if there is not so much left; then nothing is taken.
        func take(_ bytes: Int) -> Bool {
            let isInLimit = taken.wrappingAdd(bytes, ordering: .relaxed).newValue <= limit
            let isInBudget = budget.taken.wrappingAdd(bytes, ordering: .relaxed).newValue <= budget.limit
            if isInLimit, isInBudget { return true }
            giveBack(bytes)
            return false
        }

        func giveBack(_ bytes: Int) {
            taken.wrappingSubtract(bytes, ordering: .relaxed)
            budget.taken.wrappingSubtract(bytes, ordering: .relaxed)
        }
    }

    /// - Parameter limit: of this part.
    func share(limit: Int = .max) -> Share { Share(self, limit: limit) }
}
