import Freshet

extension EntryStore {
    /// Leave to load a key, which the store has to give.
    func grantedLease(_ key: String, _ request: LeaseRequest) async throws -> Lease {
        guard case .granted(let lease, _) = try await leaseEntry(key, request) else {
            throw CacheError(.storeRejected, "no lease of '\(key)'")
        }
        return lease
    }
}
