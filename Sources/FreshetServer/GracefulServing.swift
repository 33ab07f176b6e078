import Logging
import ServiceLifecycle
import UnixSignals

/// Runs what listens until it is told to stop.
enum GracefulServing {
    /// How long requests and loads may go on then.
    private static let drainTime = Duration.seconds(20)

    /// Serves until SIGTERM or SIGINT, or the graceful shutdown of a group that this is part of, and lets requests end.
    static func run(_ application: some Service, state: ServiceState, logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            // Shut down from the end: what asks is told first that there will soon be no answers.
            services: [
                .init(service: application, failureTerminationBehavior: .cancelGroup),
                .init(service: state, successTerminationBehavior: .ignore),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = drainTime
        configuration.maximumCancellationDuration = drainTime
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is CancellationError where state.phase == .draining {
            logger.warning("Requests were still under way when the time to drain was over")
        }
    }
}
