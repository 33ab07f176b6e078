import NIOConcurrencyHelpers
public import ServiceLifecycle

/// Where a service is in its life, for ``HealthRoutes``.
///
/// Move it to ``Phase/running`` once requests are taken. As the last service of a group, which is told of the shutdown
/// first, it moves itself to ``Phase/draining`` then.
public final class ServiceState: Service {
    public enum Phase: String, Sendable {
        case starting
        case running
        case draining
    }

    private let box = NIOLockedValueBox((phase: Phase.starting, drainingSince: ContinuousClock.Instant?.none))

    public init() {}

    public var phase: Phase { box.withLockedValue { $0.phase } }

    /// When the graceful shutdown began; nil where the task was cancelled instead.
    var drainingSince: ContinuousClock.Instant? { box.withLockedValue { $0.drainingSince } }

    /// A service that drains never runs again.
    public func move(to phase: Phase) {
        box.withLockedValue { state in
            guard state.phase != .draining else { return }
            state.phase = phase
        }
    }

    /// Waits for the graceful shutdown, and moves to ``Phase/draining``.
    public func run() async throws {
        try? await gracefulShutdown()
        box.withLockedValue { state in
            state.phase = .draining
            if !Task.isCancelled { state.drainingSince = .now }
        }
    }
}
