import Freshet
import NIOConcurrencyHelpers

/// What happened to services, in order.
final class ServiceJournal: Sendable {
    private let box = NIOLockedValueBox([String]())

    var events: [String] { box.withLockedValue { $0 } }

    func note(_ event: String) { box.withLockedValue { $0.append(event) } }

    func count(_ event: String) -> Int { events.count { $0 == event } }

    /// Whether both happened, the first of them before the other.
    func isOrdered(_ first: String, _ second: String) -> Bool {
        let events = events
        guard let left = events.firstIndex(of: first), let right = events.firstIndex(of: second) else { return false }
        return left < right
    }
}

/// A service that writes down what happens to it.
struct RecordingService: CoreService {
    struct Broken: Error, Equatable { var name: String }

    var name: String
    var journal: ServiceJournal
    var start: @Sendable () async throws -> Void = {}
    var stop: @Sendable () async throws -> Void = {}

    func initialize() async throws {
        journal.note("start \(name)")
        try await start()
        journal.note("started \(name)")
    }

    func shutdown() async throws {
        journal.note("stop \(name)")
        try await stop()
        journal.note("stopped \(name)")
    }
}

struct OtherService: CoreService {
    func initialize() async throws {}
}
