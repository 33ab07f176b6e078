import NIOCore
import RESP

/// How commands become requests: those that are text share one, those that are not go by themselves.
struct RequestPlan {
    private static let brackets = 2
    /// A longer path is more than many servers take.
    private static let maxTargetBytes = 4096

    private(set) var pieces: [Piece] = []
    /// What no request can carry, and its place among the commands.
    private(set) var refusals: [(place: Int, error: UpstashError)] = []

    /// Splits where a request would become too large, and around what is not text.
    init(_ commands: some Sequence<RESPCommand>, limits: UpstashClient.Configuration) {
        var body = ByteBuffer()
        var included: [RESPCommand] = []
        func close() {
            if !included.isEmpty { pieces.append(Piece(.list, included, body)) }
            body = ByteBuffer()
            included = []
        }
        for (place, command) in commands.enumerated() {
            let start = body.writerIndex
            do throws(UpstashError) {
                try command.check(limits)
                if !included.isEmpty { body.writeInteger(UInt8(ascii: ",")) }
                guard CommandJSON.write(command, to: &body) else {
                    body.moveWriterIndex(to: start)
                    let own = try Self.pieces(of: command, limits: limits)
                    close()
                    pieces += own
                    continue
                }
                let size = body.writerIndex - start
                let isFull =
                    body.readableBytes + Self.brackets > limits.maxRequestBytes
                    || included.count >= limits.maxCommandsPerRequest
                if isFull, !included.isEmpty {
                    // Without the comma.
                    let own = body.getSlice(at: start + 1, length: size - 1) ?? ByteBuffer()
                    body.moveWriterIndex(to: start)
                    close()
                    body.writeImmutableBuffer(own)
                }
                included.append(command)
            } catch {
                body.moveWriterIndex(to: start)
                refusals.append((place, error))
            }
        }
        close()
    }

    /// One command. The source of a script that would make a path too long goes ahead.
    static func pieces(of command: RESPCommand, limits: UpstashClient.Configuration) throws(UpstashError) -> [Piece] {
        let piece = try Piece(command, limits: limits)
        guard case .path(let target) = piece.form, target.utf8.count > maxTargetBytes,
            let byDigest = byDigest.first(where: { command.isNamed($0.key) })?.value,
            let source = command.argument(at: 0)?.string
        else { return [piece] }
        var load = RESPCommand("SCRIPT", "LOAD", source)
        // The same, however often it is sent.
        load.isReadOnly = true
        var run = RESPCommand(byDigest, RedisScript(source).sha1)
        run.append(contentsOf: command.arguments.dropFirst())
        run.isReadOnly = command.isReadOnly
        return [try Piece(load, limits: limits).preparing, try Piece(run, limits: limits)]
    }

    private static let byDigest = ["EVAL": "EVALSHA", "EVAL_RO": "EVALSHA_RO"]

    /// A transaction, which cannot be split.
    static func transaction(_ commands: [RESPCommand], limits: UpstashClient.Configuration) throws -> Piece {
        var body = ByteBuffer()
        for command in commands {
            try command.check(limits)
            if body.readableBytes > 0 { body.writeInteger(UInt8(ascii: ",")) }
            guard CommandJSON.write(command, to: &body) else {
                throw UpstashError(
                    .unsupportedCommand,
                    "\(command.name) cannot be part of a transaction over REST: an argument is not UTF-8."
                )
            }
        }
        return Piece(.transaction, commands, body)
    }
}
