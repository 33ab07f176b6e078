import BoundedCache
import Logging
import Metrics
import NIOConcurrencyHelpers
import Tracing

/// Runs a field's fetcher: within its hard deadline and the limit of loads at once, in a span, timed.
struct SourceLoad: Sendable {
    let tools: FlightTools
    let desk: FlightDesk
    let field: AnyField
    /// The flight the load belongs to, or is inside of.
    let flight: FlightID?
    /// A load inside another one has its place already.
    var isNested = false
    /// Of the lone loads that it is, or is inside of.
    var loneKeys: Set<ExactKey> = []

    /// - Throws: ``CacheError`` that may be shown and remembered; ``NotBegun``; `CancellationError` if this task was
    ///   cancelled.
    func run(_ context: LoadContext) async throws -> LoadResult<Payload> {
        let begunAt = tools.spawner.now()
        let start = NIOLockedValueBox<MonotonicInstant?>(nil)
        defer {
            if let start = start.withLockedValue({ $0 }) {
                field.metrics.loadSeconds.recordNanoseconds((tools.spawner.now() - start).clampedNanoseconds)
            }
        }
        var lineage = LoadLineage.current
        lineage.flight = flight.map { (ObjectIdentifier(desk), $0) }
        lineage.loneKeys = loneKeys
        let permit = isNested ? nil : LoadPermit(tools.limiter)
        // A fetcher that never ends does not keep its place.
        defer { if permit?.giveBack() ?? false { noteGoesOn() } }
        do {
            return try await withDeadline(
                field.policy.hardDeadline,
                on: tools.spawner,
                orThrow: tools.timedOut(field)
            ) { [lineage] in
                try await permit?.acquire(for: flight)
                defer { permit?.giveBack() }
                start.withLockedValue { $0 = tools.spawner.now() }
                return try await LoadLineage.$current.withValue(lineage) { try await fetch(context) }
            }
        } catch  where Task.isCancelled {
            throw CancellationError()
        } catch  where permit?.isWanted ?? false {
            throw NotBegun(field)
        } catch {
            let error = shown(error)
            let (limit, now) = (field.policy.hardDeadline, tools.spawner.now())
            // The source had less than half of its time.
            if error.code == .sourceTimedOut, now >= begunAt + limit, let start = start.withLockedValue({ $0 }),
                start > begunAt + limit / 2
            {
                throw NotBegun(field)
            }
            throw error
        }
    }

    /// No place came free in time: the source was not asked, or had no time to answer, and nothing is known of it.
    struct NotBegun: Error {
        let error: CacheError

        fileprivate init(_ field: AnyField) {
            error = CacheError(.overloaded, "too many loads are under way: '\(field.name)' had no time")
        }
    }

    private func noteGoesOn() {
        tools.logger.log(
            level: Task.isCancelled ? .debug : .info,
            "a fetcher was given up; another load has its place",
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
        if let error = error as? CacheError, known.contains(error.code) { return error }
        return CacheError(.sourceFailed, "the fetcher of '\(field.name)' threw \(type(of: error))", underlying: error)
    }
}
