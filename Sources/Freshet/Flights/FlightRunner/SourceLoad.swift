import BoundedCache
import Logging
import Metrics
import NIOConcurrencyHelpers
import Tracing

/// Runs a field's fetcher: within its hard deadline, in a span, timed.
struct SourceLoad: Sendable {
    let tools: FlightTools
    let desk: FlightDesk
    let field: AnyField
    /// The flight the load belongs to, or is inside of.
    let flight: FlightID?
    /// nil for a load inside another one, which has its place already.
    let place: LoadPermit?
    /// The keys of this lone load and of those it runs inside of; empty in a flight.
    var loneKeys: Set<ExactKey> = []

    /// - Throws: ``CacheError`` that may be shown and remembered; `CancellationError` if this task was cancelled.
    func run(_ context: LoadContext) async throws -> LoadResult<Payload> {
        try Task.checkCancellation()
        let begunAt = tools.spawner.now()
        defer { field.metrics.loadSeconds.recordNanoseconds((tools.spawner.now() - begunAt).clampedNanoseconds) }
        var lineage = LoadLineage.current
        lineage[desk.lineageOwner] = LoadLineage.Loads(flight: flight, loneKeys: loneKeys)
        if let ownFlight { desk.beginFetch(ownFlight) }
        do {
            return try await withDeadline(
                field.policy.hardDeadline,
                on: tools.spawner,
                orThrow: tools.timedOut(field),
                onEnd: end
            ) { [lineage] in
                try await LoadLineage.$current.withValue(lineage) { try await fetch(context) }
            }
        } catch  where Task.isCancelled {
            throw CancellationError()
        } catch {
            throw shown(error).brief
        }
    }

    /// nil for a load inside a flight, or beside all of them.
    private var ownFlight: FlightID? { loneKeys.isEmpty ? flight : nil }

    /// A fetcher that heeds no cancellation keeps its place, but none does for ever.
    private func end(goesOn: Bool) {
        place?.giveBack()
        if let ownFlight { desk.endFetch(ownFlight) }
        guard goesOn, place != nil else { return }
        tools.logger.debug(
            "a fetcher is cancelled at its hard deadline, and its place given back",
            metadata: ["field.name": "\(field.name)"]
        )
    }

    private func fetch(_ context: LoadContext) async throws -> LoadResult<Payload> {
        try await withSpan("freshet.load") { span in
            span.attributes["freshet.field"] = field.name
            return try await field.load(context)
        }
    }

    private func shown(_ error: any Error) -> CacheError {
        let known: Set<CacheError.Code> = [.sourceFailed, .sourceTimedOut, .overloaded, .circularLoad, .invalidValue]
        if var error = error as? CacheError, known.contains(error.code) {
            error.retryAfter = error.retryAfter.map { min($0, FieldPolicy.longestHint) }
            return error
        }
        return CacheError(.sourceFailed, "the fetcher of '\(field.name)' threw \(type(of: error))", underlying: error)
    }
}

extension CacheError {
    /// The same error in no more words than are remembered, and so its cause.
    fileprivate var brief: CacheError {
        var error = self
        error.message = message.brief
        if let cause = underlying as? CacheError { error.underlying = cause.brief }
        return error
    }
}
