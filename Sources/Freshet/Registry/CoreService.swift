/// A service that the ``ServiceRegistry`` starts and stops.
public protocol CoreService: Sendable {
    /// Makes the service ready, or throws: a service that cannot do its work must not start.
    func initialize() async throws

    /// Lets go of everything. Called once, after the services that depend on this one have been shut down.
    func shutdown() async throws
}

extension CoreService {
    public func shutdown() async throws {}
}
