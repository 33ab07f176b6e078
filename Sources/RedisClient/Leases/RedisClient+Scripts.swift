import NIOConcurrencyHelpers
import NIOCore
import RESP

extension RedisClient {
    /// Has every server end the script that it runs, on connections of its own: on those that are there it would wait
    /// for that script.
    ///
    /// - Returns: the reply of one that ran such a script.
    func endScript(_ command: RESPCommand, until deadline: NIODeadline) async throws -> RESPValue {
        let nodes: [RedisNode]
        switch backend {
        case .one(let node):
            nodes = [node]
        case .several(let executor):
            _ = try await executor.node(for: .anyPrimary, false, deadline)
            nodes = executor.router.servers
        }
        return try await withTaskGroup(of: Result<RESPValue, any Error>.self) { group in
            for node in nodes {
                group.addTask {
                    do { return .success(try await node.runAside(command, deadline: deadline)) } catch {
                        return .failure(error)
                    }
                }
            }
            var results: [Result<RESPValue, any Error>] = []
            for await result in group { results.append(result) }
            return results
        }.best()
    }
}

extension [Result<RESPValue, any Error>] {
    /// That a server runs no script says less than any other answer, and no answer says least.
    fileprivate func best() throws -> RESPValue {
        func rank(_ result: Element) -> Int {
            switch result {
            case .success: 0
            case .failure(let error as RESPError): error.code == "NOTBUSY" ? 2 : 1
            case .failure: 3
            }
        }
        guard let best = self.min(by: { rank($0) < rank($1) }) else { throw RedisClientError.clientClosed }
        return try best.get()
    }
}

extension RedisNode {
    /// Runs a command that a server takes which is busy with a script: on a new connection, and without what else is
    /// said on one, which it would refuse.
    fileprivate func runAside(_ command: RESPCommand, deadline: NIODeadline) async throws -> RESPValue {
        let refusal = state.withLockedValue { state -> RedisClientError? in
            switch state.phase {
            case .closing, .closed: state.refusalWhenClosed
            case .idle, .connecting, .ready, .waitingToReconnect: nil
            }
        }
        if let refusal { throw refusal }
        var configuration = configuration
        configuration.database = 0
        configuration.peer = .any
        configuration.clientSideCaching = false
        let node = RedisNode(configuration: configuration, eventLoop: eventLoop, logger: logger, isRenewed: false)
        defer { node.abandon() }
        return try await node.run(command, deadline: deadline)
    }
}
