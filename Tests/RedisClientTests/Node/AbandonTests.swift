import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// Servers that a client turns away from while callers use them.
@Suite struct AbandonTests {
    /// Names the next server when the one before is suspected.
    private final class OneAfterTheOther: NodeRouter {
        private let nodes: [RedisNode]
        private let position = NIOLockedValueBox(0)

        init(_ nodes: [RedisNode]) { self.nodes = nodes }

        let readsFromReplicas = false
        func route(_ command: RESPCommand) throws(RedisClientError) -> CommandRoute { .one(.anyPrimary) }
        func route(transaction: ArraySlice<RESPCommand>) throws(RedisClientError) -> Place { .anyPrimary }
        func node(for place: Place, fromReplica: Bool) throws(RedisClientError) -> RedisNode? {
            nodes[position.withLockedValue { $0 }]
        }
        func discover(until deadline: NIODeadline) async throws(RedisClientError) {}
        let primaries: [Primary] = []
        func follow(_ redirect: Redirect) {}
        func isReplica(_ node: RedisNode) -> Bool { false }
        func turnedAway(by node: RedisNode, _ reason: FollowUp.Reason, fromReplica: Bool) -> Bool { false }
        func suspect(_ node: RedisNode) {
            position.withLockedValue { $0 = min($0 + 1, nodes.count - 1) }
        }
        let isConnected = true
        var servers: [RedisNode] { nodes }
        let observers = ConnectionObservers()
        let change = ChangeNotice()
        let invalidations = InvalidationBroadcast()
        var subscriptionPlace: SubscriptionPlace { SubscriptionPlace(nodes[0].configuration) }
        func connect(until deadline: NIODeadline) async throws {}
        func takeNodes() -> [RedisNode] { nodes }
    }

    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private var deadline: NIODeadline { .now() + .seconds(20) }

    private func node(port: Int, commandTimeout: Duration = .seconds(20)) -> RedisNode {
        var configuration = RedisClient.configuration(port: port)
        configuration.commandTimeout = commandTimeout
        return RedisNode(configuration: configuration, eventLoop: eventLoop, logger: .init(label: "test"))
    }

    @Test func callersAreNotToldThatTheClientWasClosed() async throws {
        let server = try await RedisServer.start()
        let node = node(port: server.port, commandTimeout: .milliseconds(50))
        try await node.connect()
        let cut = try await clientError {
            try await node.withConnection(until: deadline) { connection in
                try await connection.execute(RESPCommand("PING"), timeout: .seconds(20))
                node.abandon(because: .serverLeft)
                try await connection.execute(RESPCommand("BLPOP", "none", 0))
            }
        }
        #expect(cut?.code == .connectionLost)
        let refusals = [
            try await clientError { try await node.run(RESPCommand("PING"), deadline: deadline) },
            try await clientError { try await node.connect() },
            try await clientError { try await node.withConnection(until: deadline) { _ in } },
        ]
        for refusal in refusals { #expect(refusal?.code == .connectionLost && refusal?.mayHaveExecuted == false) }
    }

    @Test func aLeaseIsOfTheServerThatCameAfter() async throws {
        let server = try await RedisServer.start()
        let (left, next) = (node(port: server.port), node(port: server.port))
        left.abandon(because: .serverLeft)
        let executor = RoutedExecutor(router: OneAfterTheOther([left, next]), eventLoop: eventLoop)
        let echo = try await executor.withConnection(for: [], until: deadline) {
            try await $0.execute(RESPCommand("ECHO", "next")).string
        }
        #expect(echo == "next")
        await executor.router.close()
    }

    @Test func aTransactionGoesToTheServerThatCanBeReached() async throws {
        let server = try await RedisServer.start()
        let gone = try await RedisServer.start()
        await gone.stop()
        let router = OneAfterTheOther([node(port: gone.port), node(port: server.port)])
        let executor = RoutedExecutor(router: router, eventLoop: eventLoop)
        let pipeline = [RESPCommand("MULTI"), RESPCommand("INCR", "n"), RESPCommand("EXEC")]
        let replies = try await executor.runTransaction(pipeline, deadline: deadline) { [deadline] in
            try await $0.runAlone($1, deadline: deadline)
        }
        #expect(replies.last?.array?.map(\.integer) == [1])
        await router.close()
    }

    @Test func aLeaseThatCannotBeMadeIsMadeElsewhere() async throws {
        let server = try await RedisServer.start()
        let gone = try await RedisServer.start()
        await gone.stop()
        let router = OneAfterTheOther([node(port: gone.port), node(port: server.port)])
        let executor = RoutedExecutor(router: router, eventLoop: eventLoop)
        let reply = try await executor.withConnection(for: [], until: deadline) {
            try await $0.execute(RESPCommand("PING"))
        }
        #expect(reply.string == "PONG")
        await router.close()
    }

    @Test func aCommandThatTheEndOvertakesMakesNoConnection() async throws {
        let node = node(port: 1)
        let command = try await eventLoop.submit { [deadline] in
            node.abandon()
            // Begins an attempt, which comes behind the end.
            return Task.immediate { try await node.run(RESPCommand("PING"), deadline: deadline) }
        }.get()
        #expect(try await clientError { try await command.value }?.code == .closed)
        try await eventLoop.submit {}.get()
        #expect(node.link.withLockedValue { $0.attempt } == 0)
    }

    @Test func commandsThatMayWaitForeverKeepNoNode() async throws {
        weak var kept: RedisNode?
        do {
            let node = node(port: 1)
            kept = node
            let forever = Task { try await node.run(RESPCommand("PING"), deadline: .distantFuture) }
            let late = Task { try await node.run(RESPCommand("PING"), deadline: .now() + .hours(1)) }
            #expect(await eventually { node.state.withLockedValue { $0.offline.count } == 2 })
            node.abandon()
            for task in [forever, late] { #expect(try await clientError { try await task.value }?.code == .closed) }
        }
        #expect(await eventually { kept == nil })
    }

    /// Where the server takes connections and says nothing.
    @Test func attemptsThatNobodyWaitsForEnd() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        proxy.faults.swallowsRequests = true
        let client = RedisClient(port: proxy.port) { $0.connectTimeout = .seconds(3600) }
        for accepted in 1...20 {
            let lease = Task {
                try await clientError { try await client.withConnection { try await $0.execute(RESPCommand("PING")) } }
            }
            #expect(await eventually { proxy.acceptedCount == accepted })
            lease.cancel()
            #expect(try await lease.value?.code == .cancelled)
        }
        #expect(await eventually { proxy.openCount == 0 })
        let connecting = Task { try await clientError { try await client.connect() } }
        let subscribing = Task { try await clientError { try await client.subscribe(to: ["news"]) } }
        #expect(await eventually { proxy.openCount == 2 })
        await client.close()
        #expect(try await connecting.value?.code == .closed)
        #expect(try await subscribing.value?.code == .closed)
        #expect(await eventually { proxy.openCount == 0 })
    }
}
