public import RESP

/// Why a command got no result, where the reason is not the command's own.
///
/// What the service answers to a command is a `RESPError`, unless it is one of the conditions that are named here.
public struct UpstashError: CommandTransportError, Sendable {
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// No connection could be made; nothing was sent.
        case connectFailed
        /// The connection broke while the request was on it.
        case connectionLost
        /// The deadline passed.
        case timedOut
        /// The calling task was cancelled.
        case cancelled
        /// Too many commands are waiting already; nothing was sent.
        case overloaded
        /// The client was closed.
        case closed
        /// The token is missing, wrong, or is not the REST token.
        case unauthorized
        /// The commands of the plan are used up for this day or month.
        case quotaExceeded
        /// The database is full: reads and deletions work, writes do not.
        case capacityExceeded
        /// Requests come too fast (429), or over too many connections.
        case rateLimited
        /// A command or one of its arguments is larger than the service takes.
        case requestTooLarge
        /// The result is larger than the service gives, or the client accepts.
        case resultTooLarge
        /// The service failed (5xx).
        case serverFailed
        /// The answer is none that the service gives: not HTTP, not JSON, cut off, of another shape.
        case invalidAnswer
        /// The command cannot be sent over REST.
        case unsupportedCommand
        /// URL or token cannot be used; nothing was sent.
        case invalidConfiguration

        var isRefusal: Bool {
            switch self {
            case .capacityExceeded, .requestTooLarge, .resultTooLarge, .unsupportedCommand: true
            default: false
            }
        }
    }

    public let code: Code
    public let message: String
    public let mayHaveExecuted: Bool
    public let underlying: (any Error)?
    /// What a refusal (429, 503) says in seconds, a day at most.
    public internal(set) var retryAfter: Duration?

    public var isTimeout: Bool { code == .timedOut }

    public var isRefusal: Bool { code.isRefusal }

    public var hint: String? {
        switch code {
        case .unauthorized, .quotaExceeded, .invalidAnswer: message
        default: nil
        }
    }

    public var obstacle: CommandObstacle? {
        switch code {
        case .unauthorized: .credentials
        case .quotaExceeded, .capacityExceeded: .quota
        default: nil
        }
    }

    public init(_ code: Code, _ message: String, mayHaveExecuted: Bool = false, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.mayHaveExecuted = mayHaveExecuted
        self.underlying = underlying
    }

    /// What it is among the results of a pipeline: an error reply that tells the same condition.
    var reply: RESPError {
        if let reply = underlying as? RESPError, reply.upstashCode == code { return reply }
        return RESPError("ERR \(self)")
    }
}

extension UpstashError: CustomStringConvertible {
    /// Code, message and cause, unless the message is the cause's. Holds neither the token nor arguments of commands.
    public var description: String {
        let cause = underlying.map { "\($0)" }.flatMap { $0 == message ? nil : " (\($0))" } ?? ""
        return "\(code.rawValue): \(message)\(cause)"
    }
}
