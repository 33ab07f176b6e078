import HTTPTypes
import NIOCore
import RESP

/// Runs what requests ask for, as far as the rules allow, and writes the answers.
struct UpstashRunner: Sendable {
    /// Replies that are longer are written beside the event loop, which has others to serve.
    private static let longReplies = 1 << 20
    /// What says that a reply finds no room takes as much.
    private static let smallReply = 128

    let backend: any UpstashBackend
    let limits: UpstashEndpointLimits
    private let pieces = PipelinePieces()

    func writer(_ format: UpstashAnswerFormat) -> UpstashAnswerWriter {
        UpstashAnswerWriter(format, maxEntryBytes: limits.maxCommandBytes, maxBytes: limits.maxAnswerBytes)
    }

    /// - Throws: ``UpstashRefusal`` if it may not be run, or no answer came.
    func run(
        _ command: UpstashCommand,
        isReadOnly: Bool,
        _ memory: ByteBudget.Share
    ) async throws -> RESPValue {
        try reserve(1, memory)
        if let refusal = refusal(of: command, isReadOnly) { throw refusal }
        if let answer = UpstashCommandRules.answer(to: command) { return answer }
        let sent = [command.command]
        let hasScripts = command.traits.contains(.ofScripts)
        return try Self.served(try await backend.execute(sent, hasScripts: hasScripts), to: sent)[0]
    }

    /// Runs a pipeline in pieces, so that its replies are not all in memory at once. Those that may not be run are
    /// answered in their places.
    ///
    /// - Throws: ``UpstashRefusal`` if not all answers came.
    func run(
        pipeline: UpstashCommands,
        isReadOnly: Bool,
        to writer: inout UpstashAnswerWriter,
        _ memory: ByteBudget.Share
    ) async throws {
        try reserve(pipeline.count, memory)
        var start = 0
        var size = pieces.first
        writer.beginList()
        while start < pipeline.count {
            var piece = start..<min(start + size, pipeline.count)
            if isReadOnly { piece = start..<start + max(1, UpstashRepetitions.fitting(pipeline.all[piece])) }
            let replies: [RESPValue]
            do {
                replies = try await run(piece, of: pipeline, isReadOnly) {
                    ownAnswer(to: $0, isReadOnly)
                } _: {
                    try await backend.execute($0, hasScripts: $1)
                }
            } catch let refusal as UpstashRefusal where start > 0 {
                throw refusal.afterwards
            }
            try await write(replies, to: &writer, memory)
            start = piece.upperBound
            size = pieces.size(after: piece.count, replies.heldBytes)
        }
        writer.endList()
    }

    /// Takes the room for so many small replies, or the errors in the places of others.
    ///
    /// - Throws: ``UpstashRefusal`` if there is none; nothing has been run then.
    private func reserve(_ count: Int, _ memory: ByteBudget.Share) throws {
        guard memory.take(count * Self.smallReply) else {
            throw UpstashRefusal.unavailable("too much is under way; send less at a time")
        }
    }

    /// Writes replies. They count as long as they are held, and what is written of them until the share is given up.
    /// One of a list for which there is no room becomes an error that says so.
    ///
    /// - Throws: ``UpstashRefusal`` if there is no room for the only one.
    func write(
        _ replies: [RESPValue],
        to writer: inout UpstashAnswerWriter,
        _ memory: ByteBudget.Share
    ) async throws {
        let (kept, bytes) = try fit(replies, inList: writer.isList, memory)
        guard bytes > Self.longReplies else { return try write(kept, holding: bytes, to: &writer, memory) }
        try await withTaskExecutorPreference(globalConcurrentExecutor) {
            try write(kept, holding: bytes, to: &writer, memory)
        }
    }

    private func write(
        _ replies: [RESPValue],
        holding bytes: Int,
        to writer: inout UpstashAnswerWriter,
        _ memory: ByteBudget.Share
    ) throws {
        let (before, isFirst) = (writer.buffer.readableBytes, writer.isFirst)
        writer.write(replies)
        if memory.exchange(bytes, for: writer.buffer.readableBytes - before) { return }
        // It is longer than what it was made of.
        writer.takeBack(to: before, isFirst: isFirst)
        memory.giveBack(bytes)
        for reply in replies { try writeOne(reply, to: &writer, memory) }
    }

    /// Writes a reply, or an error in its place if there is no room.
    private func writeOne(
        _ reply: RESPValue,
        to writer: inout UpstashAnswerWriter,
        _ memory: ByteBudget.Share
    ) throws {
        let (before, isFirst, left) = (writer.buffer.readableBytes, writer.isFirst, memory.left)
        if isReserved(reply) || writer.leastSize(of: reply, upTo: left) <= left {
            writer.write(reply)
            let written = writer.buffer.readableBytes - before
            if written <= Self.smallReply || memory.take(written) { return }
            writer.takeBack(to: before, isFirst: isFirst)
        }
        guard writer.isList else { throw UpstashRefusal.answersTooLarge }
        writer.write(Self.crowdedOut)
    }

    /// Whether its room has been reserved. One that is too large is not written, only told of.
    private func isReserved(_ reply: RESPValue) -> Bool {
        reply.size() > limits.maxCommandBytes || reply.heldBytes <= Self.smallReply
    }

    private static let crowdedOut = RESPValue.error(RESPError("ERR no room for the answer now; the command was run"))

    /// What there is room for, and the bytes that count for it.
    private func fit(
        _ replies: [RESPValue],
        inList: Bool,
        _ memory: ByteBudget.Share
    ) throws -> (kept: [RESPValue], bytes: Int) {
        var bytes = replies.heldBytes
        if memory.take(bytes) { return (replies, bytes) }
        bytes = 0
        var kept: [RESPValue] = []
        kept.reserveCapacity(replies.count)
        for reply in replies {
            if isReserved(reply) {
                kept.append(reply)
            } else if memory.take(2 * reply.heldBytes) {
                // As it is, and as it is written.
                bytes += 2 * reply.heldBytes
                kept.append(reply)
            } else if inList {
                kept.append(Self.crowdedOut)
            } else {
                throw UpstashRefusal.answersTooLarge
            }
        }
        return (kept, bytes)
    }

    /// - Throws: ``UpstashRefusal`` if one of the commands may not be run or could not be queued; then none was.
    func run(
        transaction commands: UpstashCommands,
        isReadOnly: Bool,
        _ memory: ByteBudget.Share
    ) async throws -> [RESPValue] {
        try reserve(commands.count, memory)
        if isReadOnly, UpstashRepetitions.fitting(commands.all[...]) < commands.count {
            throw UpstashRefusal.tooManyRepetitions
        }
        return try await run(0..<commands.count, of: commands, isReadOnly) { command in
            guard var refusal = refusal(of: command, isReadOnly) else { return UpstashCommandRules.answer(to: command) }
            refusal.status = .badRequest
            throw refusal
        } _: {
            try await backend.transaction($0, hasScripts: $1)
        }
    }

    /// The answer to a command that is not sent to the store.
    private func ownAnswer(to command: UpstashCommand, _ isReadOnly: Bool) -> RESPValue? {
        if let refusal = refusal(of: command, isReadOnly) { return .error(RESPError(refusal.text)) }
        return UpstashCommandRules.answer(to: command)
    }

    /// - Parameters:
    ///   - answer: to a command that is not sent.
    ///   - send: runs the others, among which there may be scripts.
    private func run(
        _ places: Range<Int>,
        of commands: UpstashCommands,
        _ isReadOnly: Bool,
        except answer: (UpstashCommand) throws -> RESPValue?,
        _ send: (_ commands: [RESPCommand], _ hasScripts: Bool) async throws -> [RESPValue]
    ) async throws -> [RESPValue] {
        let hasScripts = commands.traitsOfAny.contains(.ofScripts)
        if UpstashCommandRules.allow(commands, isReadOnly: isReadOnly, limits: limits) {
            let sent = places.count == commands.count ? commands.all : Array(commands.all[places])
            return try Self.served(try await send(sent, hasScripts), to: sent)
        }
        var sent: [RESPCommand] = []
        var own: [Int: RESPValue] = [:]
        for place in places {
            if let refusal = commands.refusals[place] {
                own[place] = .error(RESPError(refusal.text))
                continue
            }
            let command = commands[place]
            if let answer = try answer(command) { own[place] = answer } else { sent.append(command.command) }
        }
        var replies = try Self.served(sent.isEmpty ? [] : try await send(sent, hasScripts), to: sent)[...]
        return places.compactMap { own[$0] ?? replies.popFirst() }
    }

    /// Replies as the service gives them.
    private static func served(_ replies: consuming [RESPValue], to commands: [RESPCommand]) throws -> [RESPValue] {
        guard replies.count == commands.count else {
            throw UpstashRefusal.unavailable("an answer is missing", .badGateway)
        }
        for place in replies.indices where !replies[place].isPlain {
            if let error = replies[place].serviceError(of: commands[place]) { replies[place] = .error(error) }
        }
        return replies
    }

    private func refusal(of command: UpstashCommand, _ isReadOnly: Bool) -> UpstashRefusal? {
        UpstashCommandRules.refusal(of: command, isReadOnly: isReadOnly, limits: limits)
    }
}
