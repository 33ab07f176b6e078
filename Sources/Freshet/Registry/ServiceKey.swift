/// Names a service in the ``ServiceRegistry``.
public struct ServiceKey: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let description: String

    public init(_ name: String) { description = name }
    public init(stringLiteral name: String) { description = name }

    /// The ``CacheService``.
    public static let cache: ServiceKey = "cache"
}
