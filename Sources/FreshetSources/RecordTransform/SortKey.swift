import Freshet

/// A member to sort by.
public struct SortKey: Sendable, Hashable {
    public enum Order: String, Sendable, Hashable, CaseIterable {
        case ascending = "asc"
        case descending = "desc"
    }

    public var name: String
    public var order: Order

    /// - Parameter name: taken as it is, a minus sign in front too.
    public init(by name: String, order: Order = .ascending) {
        self.name = name
        self.order = order
    }

    /// A name, with a minus sign in front for descending order.
    ///
    /// - Throws: `CacheError` with `configuration` if there is no name.
    public init(_ text: String) throws {
        let isDescending = text.hasPrefix("-")
        let name = String(isDescending ? text.dropFirst() : text[...])
        guard !name.isEmpty else { throw CacheError(.configuration, "sort needs the name of a member") }
        self.init(by: name, order: isDescending ? .descending : .ascending)
    }
}
