import NIOCore
import RESP

/// What one request, or a part of one, carries.
struct Piece: Sendable {
    enum Form: Sendable, Hashable {
        /// JSON arrays with commas between them, to be sent with those of others.
        case list
        case transaction
        /// One command as path and query, with one argument as the body.
        case path(String)
    }

    static let empty = Piece(.list, [], ByteBuffer())

    let form: Form
    let commands: [RESPCommand]
    let body: ByteBuffer
    let isReadOnly: Bool
    /// Whether it is there for the next one only, which is not sent if it fails, and has no result of its own.
    private(set) var isPreparation = false

    init(_ form: Form, _ commands: [RESPCommand], _ body: ByteBuffer) {
        self.form = form
        self.commands = commands
        self.body = body
        isReadOnly = commands.allSatisfy(\.isReadOnly)
    }

    /// - Throws: ``UpstashError`` with ``UpstashError/Code/unsupportedCommand``, or
    ///   ``UpstashError/Code/requestTooLarge``.
    init(_ command: RESPCommand, limits: UpstashClient.Configuration) throws(UpstashError) {
        try command.check(limits)
        var body = ByteBuffer()
        if CommandJSON.write(command, to: &body) {
            self.init(.list, [command], body)
        } else {
            let form = try PathForm(command)
            self.init(.path(form.target), [command], form.body)
        }
    }

    var preparing: Piece {
        var piece = self
        piece.isPreparation = true
        return piece
    }
}

extension RESPCommand {
    /// Before it is written out: the service counts a command's bytes, not those of the form in which it is sent.
    func check(_ limits: UpstashClient.Configuration) throws(UpstashError) {
        guard byteCount > limits.maxRequestBytes else { return }
        throw UpstashError(
            .requestTooLarge,
            "\(name) has more than \(limits.maxRequestBytes) bytes; it was not sent."
        )
    }
}
