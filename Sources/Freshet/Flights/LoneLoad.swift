import BoundedCache

/// A load for one caller alone, of a field whose last value was not to be kept: waiting for each other would only
/// put its callers in a row. Varnish calls the idea "hit-for-miss".
struct LoneLoad: Sendable {
    let tools: FlightTools
    let desk: FlightDesk
    let field: AnyField

    /// - Returns: nil where loads are shared again by the time there is a place.
    /// - Throws: ``CacheError``, `CancellationError`.
    func run() async throws -> FlightAnswer? {
        if let failure = tools.failure(of: field) { throw failure }
        let outer = LoadLineage.current[desk.lineageOwner].loneKeys
        guard !outer.contains(ExactKey(field.key)) else { throw CacheError.circular(field) }
        let flight = desk.currentLoad
        let isInLoad = LoadLineage.current.beginWait(for: desk.lineageOwner)
        do {
            return try await desk.loadAlone {
                let place = isInLoad ? nil : try await tools.place(for: field)
                if let failure = tools.failure(of: field) { throw failure }
                guard tools.isUncacheable(field) else { return nil }
                return try await load(
                    SourceLoad(
                        tools: tools,
                        desk: desk,
                        field: field,
                        flight: flight,
                        place: place,
                        loneKeys: outer.union([ExactKey(field.key)])
                    )
                )
            }
        } catch let refusal as FlightTools.NoPlace {
            throw refusal.error
        }
    }

    private func load(_ load: SourceLoad) async throws -> FlightAnswer {
        let begunAt = tools.spawner.now()
        do {
            return try answer(to: try await load.run(LoadContext()), begunAt)
        } catch let error as CacheError {
            var forgotten: [FailureMemory.Failure] = []
            defer { withExtendedLifetime(forgotten) {} }
            let failure = tools.noteFailure(
                error,
                of: field,
                since: begunAt,
                storedCount: 0,
                hasStale: false,
                into: &forgotten
            )
            tools.note(error, failure, of: field, since: begunAt)
            // Whoever comes next loads for all processes, and what fails then is remembered by all.
            tools.noteCacheable(field)
            throw error
        }
    }

    private func answer(to result: LoadResult<Payload>, _ begunAt: MonotonicInstant) throws -> FlightAnswer {
        let payload: Payload?
        switch result {
        case .value(let value, let details):
            payload = value
            if details.isCacheable { tools.noteCacheable(field) }
            tools.note(details.isCacheable ? .changed : .uncacheable, of: field, since: begunAt)
        case .absent:
            payload = nil
            tools.noteCacheable(field)
            tools.note(.absent, of: field, since: begunAt)
        case .notModified: throw CacheError.notHeld
        }
        tools.noteSuccess(of: field)
        let now = tools.spawner.now()
        let entry = Entry(
            payload: payload,
            generation: nil,
            sourceETag: nil,
            loadedAt: now,
            freshUntil: now,
            staleUntil: now,
            checkedAt: now
        )
        return FlightAnswer(entry: entry, origin: .loaded(isStored: false))
    }
}
