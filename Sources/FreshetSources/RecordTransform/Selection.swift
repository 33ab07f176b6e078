public import Freshet

/// Where a member of the result comes from.
public struct Selection: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The name of a member of the source's record.
    public var source: String
    /// What to take where that member is missing, null or `""`. Without one such a member is taken as it is, or left
    /// out.
    public var fallback: JSONValue?

    public init(from source: String, default fallback: JSONValue? = nil) {
        self.source = source
        self.fallback = fallback
    }

    public init(stringLiteral source: String) { self.init(from: source) }

    func value(in record: [String: JSONValue]) -> JSONValue? {
        let value = record[source]
        guard let fallback else { return value }
        switch value {
        case nil, .null?, .string("")?: return fallback
        default: return value
        }
    }
}
