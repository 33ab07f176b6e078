import Synchronization

/// How many bytes all requests together may hold.
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

        /// False if there is not so much left; then nothing is taken.
        func take(_ bytes: Int) -> Bool {
            guard budget.taken.wrappingAdd(bytes, ordering: .relaxed).newValue <= budget.limit else {
                budget.taken.wrappingSubtract(bytes, ordering: .relaxed)
                return false
            }
            taken.wrappingAdd(bytes, ordering: .relaxed)
            return true
        }
    }

    func share() -> Share { Share(self) }
}
