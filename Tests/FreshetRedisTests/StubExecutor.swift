import RESP

/// Answers every command alike.
struct StubExecutor: CommandExecutor {
    let answer: @Sendable (RESPCommand) async throws -> RESPValue

    init(_ answer: @escaping @Sendable (RESPCommand) async throws -> RESPValue) { self.answer = answer }

    func execute(_ command: RESPCommand) async throws -> RESPValue { try await answer(command).get() }

    func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
        var replies: [RESPValue] = []
        for command in pipeline { replies.append(try await answer(command)) }
        return replies
    }
}

struct StubTransportError: CommandTransportError, CustomStringConvertible {
    var description: String { "connection refused" }
    var mayHaveExecuted = true
    var isTimeout = false
    var isRefusal = false
    var obstacle: CommandObstacle?
}
