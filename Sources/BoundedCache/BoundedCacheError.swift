/// An error of ``BoundedCache/update(_:_:)``. The entry is left as it was or as the closure wrote it by another way; it is
/// dropped where the closure had changed its value in place.
public struct BoundedCacheError: Error, Hashable, CustomStringConvertible {
    /// What went wrong.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// An update was begun inside an update of the same cache, or the closure wrote its own key by another way.
        public static let reentrantUpdate = Code(description: "reentrantUpdate")
        /// The new value is heavier than the whole cache.
        public static let oversized = Code(description: "oversized")

        public let description: String
    }

    public let code: Code
    public let message: String

    public var description: String { "\(code): \(message)" }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
