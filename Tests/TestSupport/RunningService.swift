import Logging
public import ServiceLifecycle

/// Runs a service while the body runs, and lets it end as it does when it is told to stop.
///
/// Servers are not to be cancelled: where a connection is accepted and then dropped, NIO traps.
public func withRunning(_ service: some Service, _ body: () async throws -> Void) async throws {
    var configuration = ServiceGroupConfiguration(
        services: [.init(service: service)],
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    )
    // Requests that are never answered are given up; by then the listener takes no connections.
    configuration.maximumGracefulShutdownDuration = .seconds(1)
    let group = ServiceGroup(configuration: configuration)
    async let running: Void = group.run()
    do {
        try await body()
    } catch {
        await group.triggerGracefulShutdown()
        throw error
    }
    await group.triggerGracefulShutdown()
    do { try await running } catch is CancellationError {}
}
