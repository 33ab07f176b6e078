/// Whether an invalidation has reached the store.
public enum InvalidationOutcome: Sendable, Hashable {
    case done
    /// The store does not take it now: the invalidation holds in this process, and is sent before the store is read again.
    case queued
}

extension FieldCache {
    /// Makes a field's value stale: it is loaded at the next read, and served until then only as the policy allows.
    ///
    /// No load that began before this returns is kept or served as fresh.
    ///
    /// - Throws: ``CacheError``: `storeRejected` where the key holds something else, which the store will not serve
    ///   either; `shuttingDown` where the store could not be told after ``shutdown()``; `notInitialized`,
    ///   `invalidArgument`, `configuration`.
    @discardableResult
    public func expire(_ field: some FieldReference) async throws -> InvalidationOutcome {
        try await invalidate(field.erased, .expire)
    }

    /// Removes a field's value. No load that began before this returns is kept.
    ///
    /// - Throws: as ``expire(_:)``.
    @discardableResult
    public func remove(_ field: some FieldReference) async throws -> InvalidationOutcome {
        try await invalidate(field.erased, .remove)
    }

    private func invalidate(
        _ field: AnyField,
        _ invalidation: Invalidation
    ) async throws -> InvalidationOutcome {
        try admit(field)
        // A flight that comes from now on sends the invalidation, or waits for it, before it reads the store.
        let outcome = try await tools.backlog.send(invalidation, of: field.key) {
            desk.invalidate(field) { l1 in
                l1.invalidate(field.key, invalidation)
                tools.forgetForcedLoad(of: field)
                if invalidation == .remove { tools.noteRemoval(of: field, into: &l1.forgotten) }
            }
        }
        record(invalidation, outcome == .done ? .here : .queued, of: field.key)
        return outcome
    }
}
