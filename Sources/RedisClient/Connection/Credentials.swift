import NIOConcurrencyHelpers
import NIOCore
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
    /// keep them; those on lease are not leased again. If there is no connection, one is made. Each server is
    /// asked on a connection of its own first.
    ///
    /// - Throws: ``RedisClientError/Code/authenticationFailed`` if the server refuses them, or another
    ///   ``RedisClientError`` if it does not answer; then those before are kept.
    public func authenticate(username: String? = nil, password: String) async throws {
        let rotation = configuration.rotation
        await rotation.beginChange()
        defer { rotation.endChange() }
        if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
        let before = rotation.current
        // Also on failure: what was made meanwhile has said what is not kept.
        defer { for node in servers { node.leases.renew() } }
        do {
            try await announce(Credentials(username: username, password: password))
        } catch {
            if rotation.current != before {
                rotation.current = before
                await forget()
            }
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
        // A server that is about to be connected is asked as well.
        await attemptsEnd()
        // Nobody else says them before a server has taken them.
        let proven = servers.filter { $0.isConnected || $0.isLeaving }
        try await prove(credentials, to: proven)
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
        let connected = servers.filter(\.isConnected)
        try await prove(credentials, to: connected.filter { node in !proven.contains { $0 === node } })
        try await say(credentials, to: connected)
    }

    /// Asks servers on connections of their own: from Redis 7.2 a refusal may go unsaid among other replies, and those
    /// behind it would be taken for others.
    private func prove(_ credentials: Credentials, to servers: [RedisNode]) async throws {
        let trials = servers.map { $0.trial(of: credentials) }
        defer { for trial in trials { trial.abandon(within: .zero) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for trial in trials {
                group.addTask {
                    try await trial.connect()
                    // A server without a password takes any in `HELLO`, and refuses it here.
                    let deadline = NIODeadline.now() + TimeAmount(clamping: trial.configuration.commandTimeout)
                    _ = try await trial.run(credentials.command, deadline: deadline)
                }
            }
            try await group.waitForAll()
        }
    }

    /// To all at once, however many there are.
    private func say(_ credentials: Credentials, to servers: [RedisNode]) async throws {
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.commandTimeout)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in servers {
                group.addTask { _ = try await node.run(credentials.command, deadline: deadline) }
            }
            try await group.waitForAll()
        }
    }

    /// Returns when attempts under way have ended, which may have said what was replaced. Those that begin now do not.
    private func attemptsEnd() async {
        let late = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
        for node in servers where node.isConnecting { try? await node.connect(until: late) }
    }

    /// Makes connections anew that have said what is not kept. A cancelled caller waits for that as well.
    private func forget() async {
        await Task {
            await attemptsEnd()
            for node in servers {
                try? await node.eventLoop.submit { node.leave(because: "Its credentials are not kept.") }.get()
            }
        }.value
    }
}

extension RedisNode {
    /// Another connection to the server, for somebody to see whether it takes credentials.
    fileprivate func trial(of credentials: Credentials) -> RedisNode {
        var configuration = configuration
        configuration.rotation = CredentialRotation()
        configuration.rotation.current = credentials
        configuration.peer = .any
        configuration.clientSideCaching = false
        return RedisNode(configuration: configuration, eventLoop: eventLoop, logger: logger, isRenewed: false)
    }
}
