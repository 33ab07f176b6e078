import RESP
import TestSupport
import Testing

@testable import RedisClient

/// What happens to the keys of a slot as long as it is half here, half there.
@Suite(.serialized) struct SlotMigrationTests {
    private func client(_ cluster: RedisCluster) -> RedisClient {
        // So that nothing but what servers say makes the client look.
        RedisClient(cluster: cluster) { $0.topologyInterval = .seconds(3600) }
    }

    /// Of the slot of `foo`.
    private func migration(in cluster: RedisCluster) throws -> SlotMigration {
        try SlotMigration(of: 12_182, from: cluster.servers[2], to: cluster.servers[1], among: cluster.servers)
    }

    @Test func whatAServerDoesNotTakeYetWaitsWithoutAStorm() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let client = client(cluster)
        func looks() throws -> Int { try cluster.servers.reduce(0) { try $0 + $1.slotsQueries } }
        let keys = ["{foo}a", "{foo}b"]
        let read = RESPCommand("MGET", arguments: keys)
        try await client.execute(RESPCommand("MSET", keys[0], "1", keys[1], "2"))
        let migration = try migration(in: cluster)
        try migration.move(keys[0])
        let before = try looks()
        // What the server says is told where no time is left for more.
        #expect(
            await eventually {
                await serverError { try await client.execute(read, timeout: .milliseconds(100)) }?.code == .tryAgain
            }
        )
        let readers = (0..<8).map { _ in Task { try await client.execute(read, timeout: .seconds(60)) } }
        #expect(try await eventually { try migration.from.errors("TRYAGAIN") > 60 })
        #expect(try looks() - before < 6)
        try migration.move(keys[1])
        try migration.end()
        for reader in readers { #expect(try await reader.value.array?.map(\.string) == ["1", "2"]) }
        #expect(try looks() - before < 12)
    }

    @Test func transactionsWaitForTheirSlot() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let (first, second) = (client(cluster), client(cluster))
        for client in [first, second] { try await client.execute(RESPCommand("SET", "{foo}a", "1")) }
        func increment(_ client: RedisClient) async throws -> [RESPValue]? {
            try await client.withTransaction(watching: ["{foo}a"]) { connection in
                let value = try await connection.execute(RESPCommand("GET", "{foo}a")).integer ?? 0
                return [RESPCommand("SET", "{foo}a", value + 1), RESPCommand("SET", "{foo}b", value + 1)]
            }
        }
        let migration = try migration(in: cluster)
        try migration.move("{foo}a")
        let waiting = Task { try await increment(first) }
        // More often than it would follow redirections.
        #expect(try await eventually { try migration.from.errors("ASK") > 20 })
        try migration.end()
        #expect(try await waiting.value?.map(\.string) == ["OK", "OK"])
        // This one has not heard of it.
        #expect(try await increment(second) != nil)
        #expect(try await second.execute(RESPCommand("MGET", "{foo}a", "{foo}b")).array?.map(\.string) == ["3", "3"])
    }
}

/// Runs something and gives the server's error, if it ended with one.
private func serverError(_ body: () async throws -> some Any) async -> RESPError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? RESPError
    }
}
