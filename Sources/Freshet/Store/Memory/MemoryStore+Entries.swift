extension MemoryStore {
    public func readEntry(_ key: String, _ request: EntryRead) async throws -> EntrySnapshot {
        try CompanionKey.validate(key)
        let now = spawner.now()
        let record = record(key, at: now)
        if try record.isSettled(at: now) {
            return record.snapshot(at: now, spawner.wallTime(), held: request.known)
        }
        return try update(key) { record, now in
            try record.settle(at: now, freshFor: request.freshFor, staleFor: request.staleFor, nonce: nonce())
            return record.snapshot(at: now, spawner.wallTime(), held: request.known)
        }
    }

    public func checkEntries(_ keys: [String]) async throws -> [EntryRead.Known?] {
        let now = spawner.now()
        return try keys.map { key in
            try CompanionKey.validate(key)
            guard let companion = record(key, at: now).companion, let digest = companion.known?.digest else {
                return nil
            }
            return EntryRead.Known(generation: companion.generation, digest: digest)
        }
    }

    public func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome {
        try CompanionKey.validate(key)
        return try update(key) { record, now in
            try record.settle(at: now, freshFor: request.freshFor, staleFor: request.staleFor, nonce: nonce())
            return try record.lease(request, at: now, spawner.wallTime(), nonce: nonce())
        }
    }

    public func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome {
        try CompanionKey.validate(key)
        return try update(key) { record, now in try record.fill(lease, with: fill, at: now) }
    }

    @discardableResult
    public func dropEntry(_ key: String, _ lease: Lease) async throws -> Bool {
        try CompanionKey.validate(key)
        return try update(key) { record, now in try record.drop(lease, at: now, nonce: nonce()) }
    }

    @discardableResult
    public func failEntry(_ key: String, _ lease: Lease, with failure: EntryFailure) async throws -> Bool {
        try CompanionKey.validate(key)
        return try update(key) { record, now in record.fail(lease, with: failure, at: now) }
    }

    public func releaseEntry(_ key: String, token: String) async throws {
        try CompanionKey.validate(key)
        try update(key) { record, now in record.release(token, at: now) }
    }

    public func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws {
        try CompanionKey.validate(key)
        try update(key) { record, now in try record.invalidate(invalidation, at: now, nonce: nonce()) }
    }
}
