/// What went wrong, where, and what to do about it.
///
/// The description never holds a value, a token or a password: it may be logged and sent to clients.
public struct CacheError: Error, Sendable {
    /// The kinds of failure a caller may want to tell apart.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String

        /// A code by its name, as it is remembered in the store.
        package init(_ description: String) { self.description = description }

        /// An operation was asked for before `initialize()` or after `shutdown()`.
        public static let notInitialized = Self("notInitialized")
        /// The store refused the connection, dropped it, its quota is spent, or the circuit breaker is open.
        public static let storeUnavailable = Self("storeUnavailable")
        /// The store did not answer before its deadline.
        public static let storeTimedOut = Self("storeTimedOut")
        /// The store answered with an error, such as a value of the wrong type or a lack of permission.
        public static let storeRejected = Self("storeRejected")
        /// A value could not be encoded or decoded.
        public static let invalidValue = Self("invalidValue")
        /// A key, option or parameter cannot be used.
        public static let invalidArgument = Self("invalidArgument")
        /// A field, service or configuration is wrong in itself.
        public static let configuration = Self("configuration")
        /// No field has that name.
        public static let unknownField = Self("unknownField")
        /// The source says there is no value.
        public static let absent = Self("absent")
        /// The source answered with an error or could not be reached.
        public static let sourceFailed = Self("sourceFailed")
        /// The source did not answer before the field's hard deadline.
        public static let sourceTimedOut = Self("sourceTimedOut")
        /// A load asked, directly or around a circle, for the key it loads.
        public static let circularLoad = Self("circularLoad")
        /// Too much is under way already.
        public static let overloaded = Self("overloaded")
        /// The cache is shutting down.
        public static let shuttingDown = Self("shuttingDown")
    }

    public var code: Code
    public var message: String
    /// How long to wait before trying again, where that is known.
    public var retryAfter: Duration?
    /// What caused it.
    public var underlying: (any Error)?
    /// Set where somebody has to mend it.
    package var refusal: Refusal?
    /// Set where the store has certainly not been asked.
    package var isUnsent = false
    /// Set where a script was stopped on its way: what it wrote before stays.
    package var isHalfDone = false
    /// Set where the store cannot serve the key either: what is there is no field's value, or the key cannot be sent.
    package var isOfKey = false

    public init(_ code: Code, _ message: String, retryAfter: Duration? = nil, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
        self.underlying = underlying
    }
}

extension CacheError: CustomStringConvertible {
    /// In one line: the code, the message, and the message of the cause where the cause is one of ours and not told yet.
    public var description: String {
        guard let cause = underlying as? CacheError, !message.contains(cause.message) else {
            return "\(code): \(message)".printable()
        }
        return "\(code): \(message) (\(cause))".printable()
    }
}
