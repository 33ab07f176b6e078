import NIOCore
import RESP

/// What a script was answered with, and looks like a refusal of the server's.
///
/// A script can make up any error. If that were followed, it would send commands and the password to whatever host it
/// names, and have itself run again. So the server is asked for something that runs no script, with the same keys, by
/// which servers redirect.
struct ScriptError {
    let error: RESPError
    let question: Question

    struct Question: Hashable {
        let command: RESPCommand
        let isAsking: Bool
    }

    enum Verdict: Equatable {
        case refused(RESPError)
        /// The words are the server's, who does not confirm them. They may be over by now.
        case doubtful
        case madeUp
    }

    /// - Parameter isAsking: whether the script was sent behind `ASKING`.
    init(_ error: RESPError, to script: RESPCommand, isAsking: Bool) {
        self.error = error
        question = Question(command: Self.question(error, script), isAsking: isAsking)
    }

    private static func question(_ error: RESPError, _ script: RESPCommand) -> RESPCommand {
        // What only reads is not refused so.
        if error.code == .readOnly { return RESPCommand("ROLE") }
        var question = RESPCommand("EXISTS")
        KeyRule.of(script).forEachPosition(in: script) { position in
            if let key = script.argument(at: position) { question.append(key) }
        }
        return question.arguments.isEmpty ? RESPCommand("PING") : question
    }

    /// - Parameters:
    ///   - answer: to the question; `nil` if none came.
    ///   - isRefusal: whether an error is one that clients follow.
    func verdict(_ answer: RESPValue?, isRefusal: (RESPError) -> Bool) -> Verdict {
        let hasServersWords = error.isServersRefusal
        if let refusal = answer?.error, isRefusal(refusal), hasServersWords || refusal == error {
            return .refused(refusal)
        }
        if error.code == .readOnly, hasServersWords, answer?.array?.first?.string == "slave" { return .refused(error) }
        return hasServersWords ? .doubtful : .madeUp
    }
}

extension RoutedExecutor {
    /// - Parameter errors: what looks like refusals of the node's.
    func verdicts(on errors: [ScriptError], of node: RedisNode, deadline: NIODeadline) async -> [ScriptError.Verdict] {
        var pipeline: [RESPCommand] = []
        var places: [ScriptError.Question: Int] = [:]
        for question in errors.map(\.question) where places[question] == nil {
            if question.isAsking { pipeline.append(Self.asking) }
            places[question] = pipeline.count
            pipeline.append(question.command)
        }
        let answers = try? await node.run(pipeline, deadline: deadline)
        let verdicts = errors.map { error in
            let answer = places[error.question].flatMap { answers?[$0] }
            return error.verdict(answer) { followUp($0, from: node) != .answer }
        }
        // Where the question is not allowed, the next call is to find another node.
        if verdicts.contains(.madeUp) { router.suspect(node) }
        return verdicts
    }
}
