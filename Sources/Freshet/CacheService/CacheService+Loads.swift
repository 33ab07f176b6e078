import NIOCore

extension CacheService {
    /// The value at a key, which is loaded and stored if there is none.
    ///
    /// Whoever asks for the key while it is loaded waits for that load, and gets its value or its error; while it is
    /// refreshed, what is stored. A caller that is cancelled frees itself alone; the load is cancelled when nobody waits any
    /// more. At most two loads of a key run at once, those included that go on although they were cancelled. A load runs in a
    /// task of its own, without the task-local values of its callers; `ttl` and `deadline` are those of the caller that began
    /// it. If the store fails, the value is loaded and given all the same.
    ///
    /// Who waits for the load gets what it brought, later callers what its JSON decodes to (``StoredJSON``): dates without
    /// fractions of a second, for one.
    ///
    /// - Parameters:
    ///   - ttl: how long the value is kept; at least a millisecond.
    ///   - deadline: how long a load may take before it is cancelled.
    /// - Throws: what `load` throws, but `sourceFailed` where that is a `CancellationError` of its own; ``CacheError`` with
    ///   `sourceTimedOut` at the deadline, with `circularLoad` if a load waits for itself, with `invalidArgument` for a key
    ///   or a `ttl` that cannot be used, with `notInitialized` or, where it was under way, `shuttingDown`.
    public func getOrLoad<Value: Codable & Sendable>(
        key: String,
        ttl: Duration,
        deadline: Duration = .seconds(60),
        load: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await value(of: sharedLoad(.read, key, ttl, deadline, load))
    }

    /// Loads a value and stores it, whatever the cache holds; the old value stays until then, and if the load fails.
    ///
    /// What it gives was never loaded before it was asked for: loads under way are overtaken, and not stored. At most
    /// one refresh of a key runs and one waits, which later callers join.
    ///
    /// - Parameters:
    ///   - ttl: how long the value is kept; at least a millisecond.
    ///   - purge: delete the old value first, but not beside a write of the key that is under way.
    ///   - deadline: how long a load may take before it is cancelled.
    /// - Throws: as ``getOrLoad(key:ttl:deadline:load:)`` does.
    @discardableResult
    public func refresh<Value: Codable & Sendable>(
        key: String,
        ttl: Duration,
        purge: Bool = false,
        deadline: Duration = .seconds(60),
        fetch: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await value(of: sharedLoad(.refresh(purge: purge), key, ttl, deadline, fetch))
    }

    /// A value, and the store's failure on the way to it.
    struct Loaded<Value: Sendable>: Sendable {
        var value: Value
        var failure: (operation: StoreOperation, error: CacheError)?
    }

    private func value<Value>(of loaded: Loaded<Value>) -> Value {
        if let (operation, error) = loaded.failure { report(error, of: operation) }
        return loaded.value
    }

    func sharedLoad<Value: Codable & Sendable>(
        _ want: FlightWant,
        _ key: String,
        _ ttl: Duration,
        _ deadline: Duration,
        _ load: @escaping @Sendable () async throws -> Value
    ) async throws -> Loaded<Value> {
        let store = try strict.readable([key])
        guard ttl >= .milliseconds(1) else {
            throw CacheError(.invalidArgument, "ttl must be at least a millisecond, not \(ttl)")
        }
        let run: SharedLoads.Run = { [self] flight, purpose in
            try await carryOut(flight, purpose, key, ttl, deadline, load, in: store)
        }
        if want == .read, loads.areHeldUp(on: key) {
            do {
                if let value: Value = try await stored(key, in: store) { return Loaded(value: value) }
            } catch let error as CacheError {
                report(error, of: .get)
            }
        }
        while true {
            let loaded = try await loads.wait(for: key, want, run)
            // Somebody else's flight may bring a value of another type; by then it is stored.
            if let loaded = loaded as? Loaded<Value> { return loaded }
        }
    }

    private func stored<Value: Decodable>(_ key: String, in store: GuardedStore) async throws -> Value? {
        guard let bytes = try await store.get(key) else { return nil }
        return try? decode(bytes, as: Value.self)
    }

    private func carryOut<Value: Codable & Sendable>(
        _ flight: SharedLoads.Flight,
        _ purpose: FlightPurpose,
        _ key: String,
        _ ttl: Duration,
        _ deadline: Duration,
        _ load: @escaping @Sendable () async throws -> Value,
        in store: GuardedStore
    ) async throws -> Loaded<Value> {
        var failure: (StoreOperation, CacheError)?
        switch purpose {
        case .read:
            do {
                if let value: Value = try await stored(key, in: store) { return Loaded(value: value) }
            } catch let error as CacheError {
                failure = (.get, error)
            }
        case .force(.remove):
            await flight.waitForOvertaken()
            try Task.checkCancellation()
            do {
                try await flight.whileCurrent {
                    _ = try await spawner.outliving { try await store.del([key]) }.get()
                }
            } catch let error as CacheError {
                failure = (.del, error)
            }
        case .force(.expire):
            await flight.waitForOvertaken()
        }
        let value: Value
        do {
            value = try await flight.run(load, within: deadline)
        } catch {
            // The callers are told of the load alone.
            if let (operation, storeError) = failure { report(storeError, of: operation) }
            throw error
        }
        do {
            let bytes = try StoredJSON.encode(value)
            try await flight.whileCurrent {
                // Though it is cancelled: what is on its way might arrive behind a later write.
                let options = CacheOptions(expiry: .after(ttl))
                _ = try await spawner.outliving { try await store.set(key, bytes, options: options) }.get()
            }
        } catch let error as CacheError {
            if failure?.0 != .del { failure = (.set, error) }
        }
        return Loaded(value: value, failure: failure)
    }
}

extension FlightWant {
    static func refresh(purge: Bool) -> FlightWant {
        // No load that has begun already will do.
        .force(purge ? .remove : .expire, unlessBegunSince: .distantFuture)
    }
}
