/// A service that the ``ServiceRegistry`` starts and stops.
public protocol CoreService: Sendable {
    /// Makes the service ready, or throws: a service that cannot do its work must not start. It lets go of what it holds
    /// before it throws, since ``shutdown()`` is called only if it has started.
    ///
    /// Cancelled when the registry is shut down, or the ``ServiceRegistry/initializeCoreServices(_:)`` that starts it is
    /// cancelled and nobody else has asked for it; not with a caller of ``ServiceRegistry/service(_:as:)``.
    func initialize() async throws

    /// Lets go of everything. Called once, after the services that depend on this one have been shut down.
    func shutdown() async throws
}

extension CoreService {
    public func shutdown() async throws {}
}
