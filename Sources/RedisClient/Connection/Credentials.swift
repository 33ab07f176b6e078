import NIOConcurrencyHelpers
import RESP

/// Who a client is to the server.
struct Credentials: Sendable, Equatable {
    let username: String?
    let password: String

    var command: RESPCommand {
        RESPCommand("AUTH", arguments: (username.map { [$0] } ?? []) + [password])
    }

    /// For servers before Redis 6: they know the default user only, and no place for its name.
    var commandWithoutDefault: RESPCommand { username == "default" ? RESPCommand("AUTH", password) : command }
}

extension Credentials: CustomStringConvertible, CustomReflectable {
    /// Neither user nor password.
    var description: String { "credentials" }

    var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

/// The credentials that replaced those of the configuration; shared by all connections of a client.
final class CredentialRotation: Sendable {
    private struct Turn: MailboxContents {
        var isFree = true

        mutating func take() -> Bool? {
            defer { isFree = false }
            return isFree ? true : nil
        }
    }

    private let replacement = NIOLockedValueBox<Credentials?>(nil)
    private let turn = Mailbox<Turn, Never>(Turn())

    var current: Credentials? {
        get { replacement.withLockedValue { $0 } }
        set { replacement.withLockedValue { $0 = newValue } }
    }

    /// Returns when nobody else changes them; ``endChange()`` must follow.
    ///
    /// - Throws: ``RedisClientError/Code/cancelled``.
    func beginChange() async throws {
        if await turn.next() == nil { throw RedisNode.cancelled(mayHaveExecuted: false) }
    }

    func endChange() {
        turn.change { $0.isFree = true }
    }
}

extension RedisClient.Configuration {
    /// What a new connection says.
    var credentials: Credentials? {
        rotation.current ?? password.map { Credentials(username: username, password: $0) }
    }
}
