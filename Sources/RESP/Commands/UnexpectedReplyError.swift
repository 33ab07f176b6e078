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
