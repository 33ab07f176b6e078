import NIOConcurrencyHelpers

/// Connections to the server beside the one that is shared, which end with that for good.
extension RedisNode {
    /// - Parameter end: called on the event loop.
    /// - Throws: why there are to be no more.
    func attach(
        _ id: ObjectIdentifier,
        _ end: @escaping @Sendable (RedisClientError) -> Void
    ) throws(RedisClientError) {
        link.withLockedValue { $0.besides[id] = end }
        // Whoever ends them changes the phase first.
        guard let ending = state.withLockedValue({ $0.ending }) else { return }
        detach(id)
        throw ending
    }

    func detach(_ id: ObjectIdentifier) {
        link.withLockedValue { _ = $0.besides.removeValue(forKey: id) }
    }

    func withConnection<Result>(beside other: RedisNode, _ body: () async throws -> Result) async throws -> Result {
        let id = ObjectIdentifier(other)
        try attach(id) { other.abandon(because: $0) }
        defer {
            detach(id)
            other.abandon(within: .zero)
        }
        return try await body()
    }
}
