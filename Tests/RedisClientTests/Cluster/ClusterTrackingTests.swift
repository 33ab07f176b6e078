import NIOCore
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite(.serialized, .timeLimit(.minutes(3))) struct ClusterTrackingTests {
    private let key = "watched"
    private var slot: Int { HashSlot.of(.string(key)) }

    @Test func allNodesTellAndStillDoWhenSlotsMove() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let client = RedisClient(cluster: cluster) {
            $0.clientSideCaching = true
            $0.commandTimeout = .seconds(20)
        }
        let other = RedisClient(cluster: cluster) { $0.commandTimeout = .seconds(20) }
        var invalidations = client.invalidations.makeAsyncIterator()

        let keys = (0..<20).map { "key-\($0)" }
        _ = try await client.tracked.execute(pipeline: keys.map { RESPCommand("GET", $0) })
        for key in keys { try await other.set(key, to: 1) }
        var told: Set<String> = []
        while told.count < keys.count, case .keys(let some) = await invalidations.next() { told.formUnion(some) }
        #expect(told == Set(keys))

        try await other.set(key, to: 2)
        #expect(try await client.tracked.get(key) == ByteBuffer(string: "2"))
        let owner = try #require((0..<3).first { slot < ($0 + 1) * 16_384 / 3 })
        let target = (owner + 1) % 3
        let (from, to) = (cluster.servers[owner], cluster.servers[target])
        try to.command("CLUSTER SETSLOT \(slot) IMPORTING \(cluster.ids[owner])")
        try from.command("CLUSTER SETSLOT \(slot) MIGRATING \(cluster.ids[target])")
        try from.command("MIGRATE 127.0.0.1 \(to.port) \(key) 0 5000")
        #expect(await invalidations.next() == .keys([key]))

        // In between, the node that has the key cannot watch it.
        #expect(try await client.tracked.get(key) == ByteBuffer(string: "2"))
        #expect(await invalidations.next() == .keys([key]))

        for server in [to, from] + cluster.servers {
            try server.command("CLUSTER SETSLOT \(slot) NODE \(cluster.ids[target])")
        }
        #expect(try await client.tracked.get(key) == ByteBuffer(string: "2"))
        #expect(await invalidations.next() == .everything(.moved))
        // What came before the client knew where the slot is does not count.
        #expect(try await client.tracked.get(key) == ByteBuffer(string: "2"))
        try await other.set(key, to: 3)
        #expect(await invalidations.next() == .keys([key]))

        await client.close()
        var last = await invalidations.next()
        if last != nil { last = await invalidations.next() }
        #expect(last == nil)
    }

    @Test func longPipelinesAreTrackedToo() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.clientSideCaching = true
            $0.commandTimeout = .seconds(20)
        }
        let other = RedisClient(server)
        var invalidations = client.invalidations.makeAsyncIterator()
        try await client.connect()
        _ = try await client.tracked.execute(pipeline: (0..<5000).map { RESPCommand("GET", "key-\($0)") })
        try await other.set("key-4999", to: 1)
        #expect(await invalidations.next() == .keys(["key-4999"]))
        let transaction = [RESPCommand("MULTI"), RESPCommand("GET", "a"), RESPCommand("EXEC")]
        let refused = try await clientError { try await client.tracked.execute(pipeline: transaction) }
        #expect(refused?.code == .unsupportedCommand)
    }
}
