/// Something that runs commands on a Redis-compatible server: over TCP, over REST, or in a test.
///
/// There are three outcomes: a value, a ``RESPError`` (the server answered with an error), and a
/// ``CommandTransportError`` (no answer came).
public protocol CommandExecutor: Sendable {
    /// Runs one command.
    ///
    /// - Throws: ``RESPError`` for an error reply, the executor's ``CommandTransportError`` when no reply came.
    func execute(_ command: RESPCommand) async throws -> RESPValue

    /// Runs several commands in one go and answers in their order.
    ///
    /// It is no transaction: other clients' commands may run in between. An error reply stays in its place as
    /// ``RESPValue/error(_:)``.
    ///
    /// - Throws: the executor's ``CommandTransportError`` when not all replies came.
    func execute(pipeline: [RESPCommand]) async throws -> [RESPValue]
}

/// What executors throw when a command got no reply.
public protocol CommandTransportError: Error {
    /// Whether the server may have run the command although no reply came. `false` is certain.
    var mayHaveExecuted: Bool { get }

    /// Whether the reply did not come in time; the server may be well. The default is `false`.
    var isTimeout: Bool { get }

    /// Whether it is about this command alone, and would be so again; others work. The default is `false`.
    var isRefusal: Bool { get }

    /// What whoever runs the program should know, in words that may be shown to anyone. The default is `nil`.
    var hint: String? { get }

    /// What has to be mended by somebody before commands are taken again. The default is `nil`.
    var obstacle: CommandObstacle? { get }

    /// How long the server says to wait before it is asked again. The default is `nil`.
    var retryAfter: Duration? { get }
}

/// Why a server takes no commands until somebody mends it.
public enum CommandObstacle: Sendable, Hashable {
    /// It does not accept the token or password.
    case credentials
    /// It has no database of the number that it is asked for.
    case database
    /// What was paid for is used up.
    case quota
}

extension CommandTransportError {
    public var isTimeout: Bool { false }
    public var isRefusal: Bool { false }
    public var hint: String? { nil }
    public var obstacle: CommandObstacle? { nil }
    public var retryAfter: Duration? { nil }
}
