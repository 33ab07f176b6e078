import NIOCore
import RESP

extension RedisClient {
    /// Has servers end the script that they run, on connections of their own: on those that are there it would wait for
    /// that script.
    ///
    /// A server hears nothing before its script is slow enough to be called so (`busy-reply-threshold`), and is waited
    /// for until then. Ends with the first script that ends: if several servers run one, others may go on.
    ///
    /// Replicas are asked if this client reads from them.
    ///
    /// - Throws: `NOTBUSY` if all that were asked said so.
    func endScript(_ command: RESPCommand, until deadline: NIODeadline) async throws -> RESPValue {
        let nodes: [RedisNode]
        switch backend {
        case .one(let node):
            nodes = [node]
        case .several(let executor):
            _ = try await executor.node(for: .anyPrimary, false, deadline)
            let router = executor.router
            let primaries = router.primaries.map(\.address)
            nodes = router.servers.filter {
                router.readsFromReplicas || primaries.contains($0.configuration.address)
            }
        }
        return try await withThrowingTaskGroup(of: Result<RESPValue, any Error>.self) { group in
            for node in nodes {
                group.addTask {
                    do { return .success(try await node.runAside(command, deadline: deadline)) } catch {
                        return .failure(error)
                    }
                }
            }
            var failure: any Error = RedisClientError.clientClosed
            var rank = Int.max
            for try await result in group {
                switch result {
                case .success(let reply):
                    group.cancelAll()
                    return reply
                case .failure(let error):
                    let next = Self.rank(error)
                    if next < rank { (failure, rank) = (error, next) }
                }
            }
            throw failure
        }
    }

    /// That a server runs no script is said only if all say so; what one says of its script, before anything else.
    private static func rank(_ error: any Error) -> Int {
        guard let error = error as? RESPError else { return 1 }
        return error.code == "NOTBUSY" ? 2 : 0
    }
}

extension RedisNode {
    /// Runs a command that a server takes which is busy with a script: on a new connection, and without what else is
    /// said on one, which it would refuse.
    fileprivate func runAside(_ command: RESPCommand, deadline: NIODeadline) async throws -> RESPValue {
        var configuration = configuration
        configuration.database = 0
        configuration.peer = .any
        configuration.clientSideCaching = false
        let patience = Duration.nanoseconds((deadline - .now()).nanoseconds)
        configuration.connectTimeout = max(configuration.connectTimeout, patience)
        let node = RedisNode(configuration: configuration, eventLoop: eventLoop, logger: logger, isRenewed: false)
        return try await withConnection(beside: node) { try await node.run(command, deadline: deadline) }
    }
}
