import Foundation
import Freshet
package import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// Runs what listens until it is told to stop.
package enum GracefulServing {
    /// What requests get to end once their time is over and they are given up. Everything else is cancelled when the
    /// cache's own shutdown, which needs the store, has had its time, too.
    private static let grace = Duration.seconds(1)
    private static let cancellationTime = Duration.seconds(20)

    /// A terminal that closes ends the process as the others do, unless it was started to outlive that, as by `nohup`, or
    /// has something else to do then.
    private static let signals: [UnixSignal] = [.sigterm, .sigint] + (isDefault(SIGHUP) ? [.sighup] : [])

    private static func isDefault(_ signal: CInt) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        // The handler comes first, under a name that each system has its own of.
        return withUnsafeBytes(of: action) { $0.load(as: Int.self) } == unsafeBitCast(SIG_DFL, to: Int.self)
    }

    /// Has the process end as it should when it is told so before there is anything to ``run(logger:building:running:)``.
    package static func heedSignals() {
        for signal in signals { Foundation.signal(signal.rawValue) { _ in _exit(EXIT_SUCCESS) } }
    }

    /// Puts something together and runs it. A signal to end before it is put together is no failure, but an end; what
    /// does not heed it is left to the end of the process.
    package static func run<Value: Sendable>(
        logger: Logger,
        building build: @escaping @Sendable () async throws -> Value,
        running run: @escaping @Sendable (Value) async throws -> Void
    ) async throws {
        let service = BuiltService(build: build, run: run)
        let configuration = ServiceGroupConfiguration(
            services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: signals,
            logger: logger
        )
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Serves until a signal to end, or the graceful shutdown of a group that this is part of, and lets requests end.
    ///
    /// - Parameter drainTime: after which ``ConnectionLimits`` gives requests up.
    /// - Throws: `CancellationError` where the task is cancelled before that.
    static func run(
        _ application: some Service,
        state: ServiceState,
        drainTime: TimeAmount,
        logger: Logger
    ) async throws {
        let drainTime = Duration.nanoseconds(drainTime.nanoseconds)
        var configuration = ServiceGroupConfiguration(
            // Shut down from the end: what asks is told first that there will soon be no answers.
            services: [
                .init(service: application, failureTerminationBehavior: .cancelGroup),
                .init(service: state, successTerminationBehavior: .ignore),
            ],
            gracefulShutdownSignals: signals,
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = drainTime + grace + FieldCache.shutdownTime + grace
        configuration.maximumCancellationDuration = cancellationTime
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is CancellationError where state.drainingSince != nil {}
        guard let since = state.drainingSince else { return try Task.checkCancellation() }
        if since.duration(to: .now) >= drainTime {
            logger.warning("the time to drain was over before everything had ended; the rest was given up")
        }
    }
}

/// A service that is put together once it runs.
private struct BuiltService<Value: Sendable>: Service {
    let build: @Sendable () async throws -> Value
    let run: @Sendable (Value) async throws -> Void

    func run() async throws {
        let value: Value
        do {
            value = try await cancelWhenGracefulShutdown {
                try await withDeadline(
                    .seconds(60),
                    on: SystemSpawner(),
                    orThrow: CacheError(.storeTimedOut, "the service was not ready within a minute"),
                    build
                )
            }
        } catch  where Task.isShuttingDownGracefully {
            return
        }
        try await run(value)
    }
}
