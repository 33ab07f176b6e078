extension GuardedStore {
    /// The store's pace, guarded as its other operations; nil where no other process shares the store, or it keeps none.
    package var pace: (any SharedPace)? {
        guard !isLocal, let pace = store as? any SharedPace else { return nil }
        return GuardedPace(store: self, pace: pace)
    }
}

private struct GuardedPace: SharedPace {
    let store: GuardedStore
    let pace: any SharedPace

    func turn(_ name: String, every interval: Duration) async throws -> SharedTurn {
        try await store.call(.pace) { [pace] _ in try await pace.turn(name, every: interval) }
    }

    func close(_ name: String, for time: Duration) async throws {
        try await store.call(.pace) { [pace] _ in try await pace.close(name, for: time) }
    }
}
