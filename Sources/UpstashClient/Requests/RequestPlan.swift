import NIOCore
import RESP

/// How commands become requests: those that are text share one, those that are not go by themselves.
enum RequestPlan {
    /// Splits where a request would become too large, and around what is not text.
    static func pieces(_ commands: [RESPCommand], limits: UpstashClient.Configuration) throws -> [Piece] {
        var pieces: [Piece] = []
        var body = ByteBuffer()
        var included: [RESPCommand] = []
        func close() {
            if !included.isEmpty { pieces.append(Piece(.list, included, body)) }
            body = ByteBuffer()
            included = []
        }
        for command in commands {
            let start = body.writerIndex
            if !included.isEmpty { body.writeInteger(UInt8(ascii: ",")) }
            guard CommandJSON.write(command, to: &body) else {
                body.moveWriterIndex(to: start)
                close()
                pieces.append(try Piece(command, limits: limits))
                continue
            }
            let size = body.writerIndex - start
            let isFull =
                body.readableBytes + Self.brackets > limits.maxRequestBytes
                || included.count == limits.maxCommandsPerRequest
            if isFull {
                try command.check(encodedSize: size, limits)
                if !included.isEmpty {
                    // Without the comma.
                    let own = body.getSlice(at: start + 1, length: size - 1) ?? ByteBuffer()
                    body.moveWriterIndex(to: start)
                    close()
                    body.writeImmutableBuffer(own)
                }
            }
            included.append(command)
        }
        close()
        return pieces
    }

    /// A transaction, which cannot be split.
    static func transaction(_ commands: [RESPCommand], limits: UpstashClient.Configuration) throws -> Piece {
        var body = ByteBuffer()
        for command in commands {
            if body.readableBytes > 0 { body.writeInteger(UInt8(ascii: ",")) }
            let start = body.writerIndex
            guard CommandJSON.write(command, to: &body) else {
                throw UpstashError(
                    .unsupportedCommand,
                    "\(command.name) cannot be part of a transaction over REST: an argument is not UTF-8."
                )
            }
            try command.check(encodedSize: body.writerIndex - start, limits)
        }
        return Piece(.transaction, commands, body)
    }

    private static let brackets = 2
}
