import HTTPTypes
import NIOCore
import RESP

/// Runs what requests ask for, as far as the rules allow, and writes the answers.
struct UpstashRunner: Sendable {
    /// Commands of a pipeline that are under way together, at first and at most.
    private static let piece = (first: 128, largest: 4096)
    /// Pieces grow while their answers are shorter than this, and shrink where they are longer.
    private static let pieceBytes = 1 << 20

    let backend: any UpstashBackend
    let limits: UpstashEndpointLimits

    func writer(_ format: UpstashAnswerFormat) -> UpstashAnswerWriter {
        UpstashAnswerWriter(format, maxEntryBytes: limits.maxCommandBytes, maxBytes: limits.maxAnswerBytes)
    }

    /// - Throws: ``UpstashRefusal`` if it may not be run, or no answer came.
    func run(_ command: UpstashCommand, isReadOnly: Bool) async throws -> RESPValue {
        if let refusal = refusal(of: command, isReadOnly) { throw refusal }
        return try await run([command], except: UpstashCommandRules.answer) { try await backend.execute($0) }[0]
    }

    /// Runs a pipeline in pieces, so that its replies are not all in memory at once. Those that may not be run are
    /// answered in their places.
    ///
    /// - Throws: ``UpstashRefusal`` if not all answers came.
    func run(
        pipeline: [UpstashCommand],
        isReadOnly: Bool,
        to writer: inout UpstashAnswerWriter,
        _ memory: ByteBudget.Share
    ) async throws {
        var rest = pipeline[...]
        var size = Self.piece.first
        writer.beginList()
        while !rest.isEmpty {
            let piece = rest.prefix(size)
            let before = writer.buffer.readableBytes
            do {
                let replies = try await run(piece, except: { ownAnswer(to: $0, isReadOnly) }) {
                    try await backend.execute($0)
                }
                for reply in replies { writer.write(reply) }
            } catch let refusal as UpstashRefusal where rest.count < pipeline.count {
                throw refusal.afterwards
            }
            let written = writer.buffer.readableBytes - before
            guard memory.take(written) else { throw UpstashRefusal.answersTooLarge }
            rest = rest.dropFirst(piece.count)
            size = written < Self.pieceBytes ? min(2 * size, Self.piece.largest) : max(1, size / 8)
        }
        writer.endList()
    }

    /// - Throws: ``UpstashRefusal`` if one of the commands may not be run or could not be queued; then none was.
    func run(transaction commands: [UpstashCommand], isReadOnly: Bool) async throws -> [RESPValue] {
        try await run(commands[...]) { command in
            guard var refusal = refusal(of: command, isReadOnly) else { return UpstashCommandRules.answer(to: command) }
            refusal.status = .badRequest
            throw refusal
        } _: {
            try await backend.transaction($0)
        }
    }

    /// The answer to a command that is not sent to the store.
    private func ownAnswer(to command: UpstashCommand, _ isReadOnly: Bool) -> RESPValue? {
        if let refusal = refusal(of: command, isReadOnly) { return .error(RESPError(refusal.text)) }
        return UpstashCommandRules.answer(to: command)
    }

    /// - Parameters:
    ///   - answer: to a command that is not sent.
    ///   - send: runs the others.
    private func run(
        _ commands: ArraySlice<UpstashCommand>,
        except answer: (UpstashCommand) throws -> RESPValue?,
        _ send: ([RESPCommand]) async throws -> [RESPValue]
    ) async throws -> [RESPValue] {
        var sent: [RESPCommand] = []
        var own: [(place: Int, answer: RESPValue)] = []
        sent.reserveCapacity(commands.count)
        for (place, command) in commands.enumerated() {
            if let answer = try answer(command) { own.append((place, answer)) } else { sent.append(command.command) }
        }
        let replies = sent.isEmpty ? [] : try await send(sent)
        guard replies.count == sent.count else {
            throw UpstashRefusal.unavailable("an answer is missing", .badGateway)
        }
        if own.isEmpty { return replies }
        var (answers, others) = (own[...], replies[...])
        return (0..<commands.count).compactMap { place in
            answers.first?.place == place ? answers.popFirst()?.answer : others.popFirst()
        }
    }

    private func refusal(of command: UpstashCommand, _ isReadOnly: Bool) -> UpstashRefusal? {
        UpstashCommandRules.refusal(of: command, isReadOnly: isReadOnly, limits: limits)
    }
}
