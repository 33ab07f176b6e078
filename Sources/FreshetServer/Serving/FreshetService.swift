public import Freshet
public import Hummingbird
import NIOCore
public import ServiceLifecycle

/// A service that is put together and whose store has answered.
public struct FreshetService: Service {
    /// What answers requests; `application.test(.router)` drives it without a socket.
    public let application: Application<ServiceResponder>
    public let fields: FieldCache
    public let registry: ServiceRegistry
    package let state: ServiceState
    let drainTime: TimeAmount

    /// Serves until SIGTERM, SIGINT or SIGHUP, or the graceful shutdown of a group it is part of: then it refuses new
    /// connections, answers the requests it has, and returns. A SIGHUP that the process ignores stays ignored.
    ///
    /// - Throws: What NIO says where it cannot listen: `IOError`, as for a port that is taken, or
    ///   `SocketAddressError.UnknownHost`. `CancellationError` where the task is cancelled before it is told to end.
    public func run() async throws {
        try await GracefulServing.run(application, state: state, drainTime: drainTime, logger: application.logger)
    }
}
