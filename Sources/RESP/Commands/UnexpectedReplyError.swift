import NIOCore

/// A server answered a command with something of another type than the command has.
public struct UnexpectedReplyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The command's name.
    public let command: String
    public let expected: String

    init(command: RESPCommand, expected: String) {
        self.command = command.name
        self.expected = expected
    }

    public var description: String { "The reply to \(command) is not \(expected)." }
}

extension CommandExecutor {
    static func optionalBytes(_ reply: RESPValue) -> ByteBuffer?? {
        reply.isNull ? .some(nil) : reply.bytes.map { $0 }
    }

    /// - Parameter read: gives `nil` for a reply of another type.
    func execute<Value>(
        _ command: RESPCommand,
        as expected: String,
        _ read: (RESPValue) -> Value?
    ) async throws -> Value {
        guard let value = read(try await execute(command)) else {
            throw UnexpectedReplyError(command: command, expected: expected)
        }
        return value
    }
}
