import NIOCore
import RESP

extension RoutedExecutor {
    /// What a server itself refuses, where a script was answered with an error that may be the server's or the script's
    /// own.
    ///
    /// A script can make up any error. If that were followed, it would send commands and the password to whatever host
    /// it names, and have itself run again. So the server is asked for something that runs no script, with the same
    /// keys, by which servers redirect.
    ///
    /// - Parameter isAsking: whether the script was sent behind `ASKING`.
    /// - Returns: `nil` if the error is the script's, or that cannot be told.
    func refusal(
        behind error: RESPError,
        to script: RESPCommand,
        from node: RedisNode,
        isAsking: Bool,
        deadline: NIODeadline
    ) async -> RESPError? {
        // What reads nothing is not refused so.
        if error.code == .readOnly { return error.isServersRefusal ? error : nil }
        var question = RESPCommand("EXISTS")
        KeyRule.of(script).forEachPosition(in: script) { position in
            if let key = script.argument(at: position) { question.append(key) }
        }
        if question.arguments.isEmpty { question = RESPCommand("PING") }
        do {
            let preface = isAsking ? [Self.asking] : []
            let answer = try await node.run(preface + [question], deadline: deadline).last?.error
            return answer.flatMap { followUp($0, from: node) == .answer ? nil : $0 }
        } catch {
            return nil
        }
    }
}
