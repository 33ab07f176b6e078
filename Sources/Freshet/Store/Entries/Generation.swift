/// Moves whenever a key is invalidated. Opaque; never equal for different states of a key.
public struct Generation: Sendable, Hashable {
    public let value: String
    public init(_ value: String) { self.value = value }
}
