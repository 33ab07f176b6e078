/// A service that the ``ServiceRegistry`` starts and stops.
public protocol CoreService: Sendable {
    /// Makes the service ready, or throws: a service that cannot do its work must not start. It lets go of what it holds
    /// before it throws, since ``shutdown()`` is called only if it has started.
    ///
    /// Cancelled when the ``ServiceRegistry/initializeCoreServices(_:)`` that starts it is, such as that of `run()` by a
    /// graceful shutdown, unless others have asked for it; not with a caller of ``ServiceRegistry/service(_:as:)``.
    func initialize() async throws

    /// Lets go of everything. Called once, after the services that depend on this one have been shut down.
    func shutdown() async throws
}

extension CoreService {
    public func shutdown() async throws {}
}
