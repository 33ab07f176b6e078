public import RESP

/// Why a command got no reply, or a connection could not be made.
public struct RedisClientError: CommandTransportError, Sendable {
    public enum Code: String, Sendable, Hashable {
        /// The connection broke while the command was on it.
        case connectionLost
        /// The deadline passed. A late reply is dropped; the connection and its other commands go on.
        case timedOut
        /// The calling task was cancelled.
        case cancelled
        /// Too many commands or bytes are waiting already; nothing was sent.
        case overloaded
        /// No connection could be made, or the server refused its settings.
        case connectFailed
        /// User or password were refused, or are missing.
        case authenticationFailed
        /// The server has no database of that number.
        case databaseRefused
        /// No secure connection: certificate refused, or the server does not speak TLS.
        case tlsFailed
        /// The server sent what is not RESP, or a reply that nobody waits for.
        case protocolViolation
        /// The client was closed.
        case closed
        /// The command would block or change a connection that all callers share, or has a name that no command has.
        case unsupportedCommand
        /// The keys of a command or a transaction are on different nodes of a cluster; nothing was sent.
        case crossSlot
        /// The nodes of a cluster sent the command around, because they do not agree whose it is.
        case tooManyRedirects
        /// A `redis://` URL that cannot be understood.
        case invalidURL
    }

    public let code: Code
    public let message: String
    public let mayHaveExecuted: Bool
    public let underlying: (any Error)?

    public var isTimeout: Bool { code == .timedOut }

    public var hint: String? {
        switch code {
        case .authenticationFailed, .databaseRefused, .tlsFailed: message
        default: nil
        }
    }

    public var obstacle: CommandObstacle? {
        switch code {
        case .authenticationFailed: .credentials
        case .databaseRefused: .database
        default: nil
        }
    }

    public init(
        _ code: Code,
        _ message: String,
        mayHaveExecuted: Bool = false,
        underlying: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.mayHaveExecuted = mayHaveExecuted
        self.underlying = underlying
    }
}

extension RedisClientError {
    static let clientClosed = RedisClientError(.closed, "The client was closed.")
    /// Of a server that the client has turned away from, not the caller.
    static let serverLeft = RedisClientError(.connectionLost, "The server is no longer the one to ask.")

    /// The same of a command that was written, or that was not.
    func with(mayHaveExecuted: Bool) -> RedisClientError {
        RedisClientError(code, message, mayHaveExecuted: mayHaveExecuted, underlying: underlying)
    }
}

extension RedisClientError {
    /// Whether the next attempt will most likely fail as well, so that nobody should wait for it.
    var isLasting: Bool {
        switch code {
        case .authenticationFailed, .databaseRefused, .tlsFailed: true
        default: false
        }
    }

    /// What a server that a script keeps busy answers to commands, and here to what comes before them.
    var busy: RESPError? {
        guard let error = underlying as? RESPError, error.code == .busy else { return nil }
        return error
    }
}

extension RedisClientError: CustomStringConvertible {
    /// Code, message and cause. Holds neither credentials nor arguments of commands.
    public var description: String {
        let cause = underlying.map { " (\($0))" } ?? ""
        return "\(code.rawValue): \(message)\(cause)"
    }
}
