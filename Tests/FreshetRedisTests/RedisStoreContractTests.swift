import Freshet
import FreshetRedis
import FreshetTesting
import NIOCore
import RESP
import Testing

@Suite struct RedisStoreContractTests {
    @Test(arguments: StoreContract.checks, RESPProtocol.allCases)
    func keeps(_ check: StoreContract.Check, over version: RESPProtocol) async throws {
        let executor = try await RedisFixture.shared.executor(version)
        try await check.run(on: StoreContract.Subject { RedisStore(executor) })
    }

    @Test(arguments: StoreContract.checks)
    func keepsOnACluster(_ check: StoreContract.Check) async throws {
        let executor = try await RedisFixture.shared.clusterExecutor()
        try await check.run(on: StoreContract.Subject { RedisStore(executor) })
    }

    @Test(arguments: StoreContract.checks)
    func keepsUnderSentinels(_ check: StoreContract.Check) async throws {
        let executor = try await RedisFixture.shared.sentinelExecutor()
        try await check.run(on: StoreContract.Subject { RedisStore(executor) })
    }

    /// Keys of many slots, in one call.
    @Test func readsAndDeletesKeysOfTheWholeCluster() async throws {
        let store = RedisStore(try await RedisFixture.shared.clusterExecutor())
        let keys = (0..<50).map { "whole:\($0)" }
        for key in keys { _ = try await store.set(key, ByteBuffer(string: key), options: CacheOptions(expiry: .never)) }
        #expect(try await store.mget(keys + ["absent"]).map { $0.map { String(buffer: $0) } } == keys + [nil])
        #expect(try await store.exists(keys) == 50)
        #expect(try await store.del(keys) == 50)
    }

    /// What Upstash needs runs on Redis too, but for the scripts' first line.
    @Test(arguments: StoreContract.checks)
    func keepsAsUpstashWants(_ check: StoreContract.Check) async throws {
        let executor = WithoutFlags(base: try await RedisFixture.shared.executor(.resp2))
        try await check.run(on: StoreContract.Subject { RedisStore(executor, dialect: .upstash) })
    }
}

/// An executor that takes the flags Redis does not know from scripts.
struct WithoutFlags: CommandExecutor {
    let base: any CommandExecutor

    func execute(_ command: RESPCommand) async throws -> RESPValue {
        try await base.execute(stripped(command))
    }

    func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
        try await base.execute(pipeline: pipeline.map(stripped))
    }

    private func stripped(_ command: RESPCommand) -> RESPCommand {
        var stripped = RESPCommand(command.name)
        for argument in command.arguments {
            guard let text = argument.string, text.hasPrefix("#!lua flags="), let end = text.firstIndex(of: "\n") else {
                stripped.append(argument)
                continue
            }
            #expect(text[..<end].contains("allow-key-locking"))
            let flags = text[..<end].contains("no-writes") ? "#!lua flags=no-writes" : "#!lua"
            stripped.append(flags + String(text[end...]))
        }
        return stripped
    }
}
