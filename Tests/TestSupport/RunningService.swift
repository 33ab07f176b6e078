import Logging
public import ServiceLifecycle

/// Runs a service while the body runs, and lets it end as it does when it is told to stop. A service that fails ends the
/// body, which is cancelled, and throws its error.
///
/// Servers are not to be cancelled: where a connection is accepted and then dropped, NIO traps.
public func withRunning(_ service: some Service, _ body: @Sendable () async throws -> Void) async throws {
    var configuration = ServiceGroupConfiguration(
        services: [.init(service: service)],
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    )
    // Requests that are never answered are given up; by then the listener takes no connections.
    configuration.maximumGracefulShutdownDuration = .seconds(1)
    let group = ServiceGroup(configuration: configuration)
    try await withoutActuallyEscaping(body) { body in
        let work = Task { try await body() }
        async let running: Void = {
            defer { work.cancel() }
            do { try await group.run() } catch is CancellationError {}
        }()
        let result = await work.result
        await group.triggerGracefulShutdown()
        try await running
        try result.get()
    }
}
