import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Who a client is to the server.
struct Credentials: Sendable {
    let username: String?
    let password: String

    var command: RESPCommand {
        RESPCommand("AUTH", arguments: (username.map { [$0] } ?? []) + [password])
    }
}

/// The credentials that replaced those of the configuration; shared by all connections of a client.
final class CredentialRotation: Sendable {
    private let replacement = NIOLockedValueBox<Credentials?>(nil)

    var current: Credentials? {
        get { replacement.withLockedValue { $0 } }
        set { replacement.withLockedValue { $0 = newValue } }
    }
}

extension RedisClient.Configuration {
    /// What a new connection says.
    var credentials: Credentials? {
        rotation.current ?? password.map { Credentials(username: username, password: $0) }
    }
}

extension RedisClient {
    /// Replaces user and password: on the connections that commands share, and for all that are made from now on.
    ///
    /// No command is lost by it. Connections on lease and for subscriptions that are open stay as they are, as servers
    /// keep them; those on lease are not leased again. If there is no connection, one is made.
    ///
    /// - Throws: ``RedisClientError/Code/authenticationFailed`` if the server refuses them, or another
    ///   ``RedisClientError`` if it does not answer; then those before are kept.
    public func authenticate(username: String? = nil, password: String) async throws {
        let rotation = configuration.rotation
        let before = rotation.current
        let credentials = Credentials(username: username, password: password)
        rotation.current = credentials
        do {
            try await announce(credentials)
            for node in servers { node.leases.renew() }
        } catch {
            rotation.current = before
            guard let refusal = error as? RESPError else { throw error }
            throw RedisClientError(
                .authenticationFailed,
                "The server refused the credentials.",
                underlying: refusal
            )
        }
    }

    private var servers: [RedisNode] {
        switch backend {
        case .one(let node): [node]
        case .several(let executor): executor.router.servers
        }
    }

    private func announce(_ credentials: Credentials) async throws {
        let connected = servers.filter(\.isConnected)
        if connected.isEmpty {
            do {
                return try await connect()
            } catch let error as RedisClientError where error.code == .authenticationFailed {
                // That attempt may have begun with what was replaced.
                return try await connect()
            }
        }
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.commandTimeout)
        for node in connected { _ = try await node.run(credentials.command, deadline: deadline) }
    }
}
