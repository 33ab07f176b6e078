import FreshetRedis
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import RESP
import RedisClient
import TestSupport
import Testing

@testable import Freshet

extension OverProcesses {
    /// C9 on a real server: the connection of the messages is cut while another node invalidates.
    @Suite("Gaps in the messages")
    struct GapTests {
        private struct Node {
            let store: FaultyStore
            let fields: FieldCache
            let run: Task<Void, any Error>
            let clients: [RedisClient]

            /// - Parameter port: where it hears messages from; its commands go straight to the server.
            init(_ server: RedisServer, listeningOn port: Int, _ catalog: [Field<Int>]) async throws {
                let listener = RedisClient.patient(port: port)
                let executor = RedisClient.patient(port: server.port)
                store = FaultyStore(RedisStore(executor))
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let cache = CacheService(store: store, timeout: .seconds(5), logger: logger)
                try await cache.initialize()
                var settings = FieldCache.Configuration()
                settings.l1Recheck = .seconds(3600)
                let fields = FieldCache(
                    cache: cache,
                    catalog: try FieldCatalog(catalog),
                    configuration: settings,
                    backplane: RedisBackplane(client: Apart(messages: listener, commands: executor)) {
                        executor.connectionEvents
                    },
                    logger: logger
                )
                self.fields = fields
                clients = [listener, executor]
                run = Task { try await fields.run() }
            }

            func stop() async {
                run.cancel()
                _ = try? await run.value
                for client in clients { await client.close() }
            }
        }

        /// A client's subscriptions would follow its other connection.
        private struct Apart: ChannelSubscriber, PrimariesExecutor {
            let messages: RedisClient
            let commands: RedisClient

            func subscribe(to channels: [String]) async throws -> RedisSubscription {
                try await messages.subscribe(to: channels)
            }

            func execute(_ command: RESPCommand) async throws -> RESPValue { try await commands.execute(command) }

            func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
                try await commands.execute(pipeline: pipeline)
            }

            func executeOnPrimaries(_ command: RESPCommand) async throws -> [RESPValue] {
                try await commands.executeOnPrimaries(command)
            }
        }

        /// Waits until a node has heard everything that was said so far, its own messages too.
        private func hearAll(_ node: Node, _ admin: RedisClient) async throws {
            let sentinel = Field("sentinel", ttl: .seconds(3600)) { 0 }
            _ = try await node.fields.value(of: sentinel)
            let message = InvalidationMessage(generation: "0", action: .remove, key: "sentinel")
            try await admin.execute(RESPCommand("PUBLISH", InvalidationMessage.channel, message.payload))
            #expect(await eventually { node.fields.cached(sentinel.erased) == nil })
        }

        /// How many hear the messages of a server.
        private func listeners(_ client: RedisClient) async throws -> Int {
            try await client.execute(RESPCommand("PUBSUB", "NUMSUB", InvalidationMessage.channel)).array?.last?.integer
                ?? 0
        }

        @Test(
            "C9: after a cut, what was invalidated meanwhile is loaded anew, and the rest is served without being read again"
        )
        func cut() async throws {
            let server = try await RedisServer.start()
            let proxy = try await FaultProxy.start(upstreamPort: server.port)
            let admin = RedisClient.patient(port: server.port)
            let source = Versions()
            let catalog = (0..<40).map { number in
                Field("field-\(number)", ttl: .seconds(3600)) { source.next(of: number) }
            }
            let a = try await Node(server, listeningOn: server.port, catalog)
            let b = try await Node(server, listeningOn: proxy.port, catalog)
            #expect(try await eventually { try await listeners(admin) == 2 })
            for field in catalog { #expect(try await b.fields.value(of: field) == 1) }
            try await hearAll(b, admin)
            for field in catalog { _ = try await b.fields.value(of: field) }
            #expect(b.fields.believed(catalog) == catalog.count)

            proxy.faults.refuses = true
            proxy.cut()
            #expect(try await eventually { try await listeners(admin) == 1 })
            for field in catalog.prefix(5) { #expect(try await a.fields.remove(field) == .done) }
            for field in catalog[5..<10] { #expect(try await a.fields.expire(field) == .done) }
            proxy.faults = .init()
            #expect(await eventually { b.store.calls(of: .check) == 1 })
            #expect(try await eventually { try await listeners(admin) == 2 })

            let isBelieved = await eventually { b.fields.believed(catalog) == catalog.count - 10 }
            #expect(isBelieved)
            let reads = b.store.calls(of: .read)
            for field in catalog[10...] {
                let reading = try await b.fields.read(field)
                #expect((reading.value, reading.tier) == (1, .l1))
            }
            #expect(b.store.calls(of: .read) == reads, "not flushed")
            for field in catalog.prefix(10) { #expect(try await b.fields.value(of: field) == 2, "not trusted") }
            await a.stop()
            await b.stop()
        }

        @Test("C9: a changed replication id makes L1 suspect though the messages go on; the same one does not")
        func replicationID() async throws {
            let server = try await RedisServer.start(arguments: ["--enable-debug-command", "yes"])
            let admin = RedisClient.patient(port: server.port)
            let field = Field("field", ttl: .seconds(3600)) { 1 }
            let node = try await Node(server, listeningOn: server.port, [field])
            #expect(try await eventually { try await listeners(admin) == 1 })
            _ = try await node.fields.value(of: field)
            try await hearAll(node, admin)
            _ = try await node.fields.value(of: field)
            let executor = node.clients[1]

            let connections = executor.connectionEvents
            try await admin.execute(RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
            try await awaitConnection(connections, of: executor)
            #expect(node.store.calls(of: .check) == 0)

            try await admin.execute(RESPCommand("DEBUG", "CHANGE-REPL-ID"))
            let next = executor.connectionEvents
            try await admin.execute(RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
            try await awaitConnection(next, of: executor)
            #expect(await eventually { node.store.calls(of: .check) == 1 })
            #expect(try await listeners(admin) == 1)
            #expect(await eventually { node.fields.believed([field]) == 1 })
            await node.stop()
        }

        private func awaitConnection(_ events: AsyncStream<RedisConnectionEvent>, of client: RedisClient) async throws {
            for await event in events where event == .connected { break }
            // A command behind the backplane's own, so that its answer has been there.
            try await client.execute(RESPCommand("PING"))
        }
    }
}

/// A source that counts what each field was loaded.
private final class Versions: Sendable {
    private let counts = NIOLockedValueBox<[Int: Int]>([:])

    func next(of number: Int) -> Int {
        counts.withLockedValue { counts in
            counts[number, default: 0] += 1
            return counts[number, default: 0]
        }
    }
}

extension FieldCache {
    /// How many fields L1 would answer now.
    fileprivate func believed(_ fields: [Field<Int>]) -> Int { fields.count { hit($0.erased, maxAge: nil) != nil } }
}
