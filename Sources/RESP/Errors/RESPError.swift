/// An error that the server answered: the command reached it, and it refused or failed.
///
/// ```
/// WRONGTYPE Operation against a key holding the wrong kind of value
/// └─ code ┘ └─ message
/// ```
public struct RESPError: Error, Sendable, Hashable {
    /// The first word of an error reply.
    public struct Code: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral {
        public var rawValue: String

        public init(rawValue: String) { self.rawValue = rawValue }
        public init(stringLiteral value: String) { self.rawValue = value }

        /// No particular kind of error; also what replies without a code are given.
        public static let generic: Self = "ERR"
        public static let wrongType: Self = "WRONGTYPE"
        public static let noScript: Self = "NOSCRIPT"
        public static let noAuth: Self = "NOAUTH"
        public static let wrongPassword: Self = "WRONGPASS"
        public static let noPermission: Self = "NOPERM"
        public static let noProtocol: Self = "NOPROTO"
        public static let readOnly: Self = "READONLY"
        public static let outOfMemory: Self = "OOM"
        public static let busy: Self = "BUSY"
        public static let misconfigured: Self = "MISCONF"
        public static let executionAborted: Self = "EXECABORT"
        public static let loading: Self = "LOADING"
        public static let masterDown: Self = "MASTERDOWN"
        public static let clusterDown: Self = "CLUSTERDOWN"
        public static let crossSlot: Self = "CROSSSLOT"
        public static let tryAgain: Self = "TRYAGAIN"
        public static let moved: Self = "MOVED"
        public static let ask: Self = "ASK"
    }

    /// The whole line as the server sent it. May repeat arguments of the command; ``description`` does not.
    public let text: String

    /// - Parameter text: the line without its type byte, such as `NOSCRIPT No matching script`.
    public init(_ text: String) {
        self.text = text
    }

    /// The leading word in capitals; ``Code/generic`` where the server sent none.
    ///
    /// For a script it is that of the command which was refused; before Redis 7 that stands behind the place in the script.
    /// There, what a command fails with once it runs is generic.
    public var code: Code {
        let word = answer.utf8.prefix { $0 != UInt8(ascii: " ") }
        let isCode = !word.isEmpty && word.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x5F || $0 == 0x2D }
        return isCode ? Code(rawValue: String(Substring(word))) : .generic
    }

    /// What follows the code.
    public var message: String {
        let (answer, head) = (answer, code.rawValue + " ")
        return String(answer.hasPrefix(head) ? answer.dropFirst(head.count) : answer)
    }

    /// The line, from the answer to a command within a script on.
    private var answer: Substring {
        let place = "@user_script: "
        guard text.hasPrefix("ERR Error running script (call to ") || text.hasPrefix(place),
            let start = text.ranges(of: place).last?.upperBound
        else { return text[...] }
        let rest = text[start...].drop { $0.isWholeNumber }
        return rest.hasPrefix(": -") ? rest.dropFirst(3) : text[...]
    }
}

extension RESPError: CustomStringConvertible, CustomReflectable {
    /// The reply, cut before the place where servers repeat the arguments of a command they do not know.
    public var description: String {
        guard let echo = text.firstRange(of: ", with args beginning with:") else { return text }
        return String(text[..<echo.lowerBound])
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
