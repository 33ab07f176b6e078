import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Who a client is to the server.
struct Credentials: Sendable {
    /// What servers take that ask for none.
    static let nobody = Credentials(username: "default", password: "")

    let username: String?
    let password: String

    var command: RESPCommand {
        RESPCommand("AUTH", arguments: (username.map { [$0] } ?? []) + [password])
    }
}

/// The credentials that replaced those of the configuration; shared by all connections of a client.
final class CredentialRotation: Sendable {
    private struct State {
        var replacement: Credentials?
        var isChanging = false
        var waiting = CircularBuffer<UnsafeContinuation<Void, Never>>()
    }

    private let state = NIOLockedValueBox(State())

    var current: Credentials? {
        get { state.withLockedValue { $0.replacement } }
        set { state.withLockedValue { $0.replacement = newValue } }
    }

    /// Returns when nobody else changes them; ``endChange()`` must follow.
    func beginChange() async {
        await withUnsafeContinuation { continuation in
            let isNext = state.withLockedValue { state in
                if state.isChanging { state.waiting.append(continuation) }
                defer { state.isChanging = true }
                return !state.isChanging
            }
            if isNext { continuation.resume() }
        }
    }

    func endChange() {
        let next = state.withLockedValue { state in
            let next = state.waiting.popFirst()
            state.isChanging = next != nil
            return next
        }
        next?.resume()
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
        await rotation.beginChange()
        defer { rotation.endChange() }
        if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
        let (before, said) = (rotation.current, configuration.credentials)
        // Also on failure: what was made meanwhile has said what is not kept.
        defer { for node in servers { node.leases.renew() } }
        do {
            try await announce(Credentials(username: username, password: password))
        } catch {
            rotation.current = before
            await restore(said ?? .nobody)
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
        // Nobody else says them before a server has taken them.
        try await say(credentials)
        configuration.rotation.current = credentials
        if !servers.contains(where: \.isConnected) {
            do {
                try await connect()
            } catch let error as RedisClientError where error.code == .authenticationFailed {
                // That attempt may have begun with what was replaced.
                try await connect()
            }
        }
        await attemptsEnd()
        try await say(credentials)
    }

    /// To all servers at once, however many there are.
    private func say(_ credentials: Credentials) async throws {
        let (command, deadline) = (credentials.command, authenticationDeadline)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in servers where node.isConnected {
                group.addTask { _ = try await node.run(command, deadline: deadline) }
            }
            try await group.waitForAll()
        }
    }

    private var authenticationDeadline: NIODeadline { .now() + TimeAmount(clamping: configuration.commandTimeout) }

    /// Attempts under way may have said what was replaced. Those that begin now do not.
    private func attemptsEnd() async {
        let late = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
        for node in servers where node.isConnecting { try? await node.connect(until: late) }
    }

    /// Says once more what held before. A cancelled caller waits for that as well.
    private func restore(_ credentials: Credentials) async {
        await Task {
            await attemptsEnd()
            let (command, deadline) = (credentials.command, authenticationDeadline)
            await withTaskGroup(of: Void.self) { group in
                for node in servers where node.isConnected {
                    group.addTask { _ = try? await node.run(command, deadline: deadline) }
                }
            }
        }.value
    }
}
