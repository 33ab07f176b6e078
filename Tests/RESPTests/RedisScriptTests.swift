import NIOConcurrencyHelpers
import Testing

@testable import RESP

/// Knows scripts as a server does: by digest, until they are flushed.
private final class ScriptServer: CommandExecutor {
    let commands = NIOLockedValueBox<[RESPCommand]>([])
    let known = NIOLockedValueBox<Set<String>>([])

    func execute(_ command: RESPCommand) async throws -> RESPValue {
        commands.withLockedValue { $0.append(command) }
        let script = command.arguments.first?.string ?? ""
        if command.name == "EVALSHA" {
            guard known.withLockedValue({ $0.contains(script) }) else {
                throw RESPError("NOSCRIPT No matching script. Please use EVAL.")
            }
        } else {
            _ = known.withLockedValue { $0.insert(SHA1.hexadecimal(of: script)) }
        }
        return .integer(1)
    }

    func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] { [] }

    var names: [String] { commands.withLockedValue { $0.map(\.name) } }
}

@Suite struct RedisScriptTests {
    @Test func sendsTheSourceOnceAndThenTheDigest() async throws {
        let server = ScriptServer()
        let script = RedisScript("return 1", isReadOnly: true)
        _ = try await server.evaluate(script, keys: ["k"], arguments: [5])
        _ = try await server.evaluate(script, keys: ["k"], arguments: [5])
        #expect(server.names == ["EVALSHA", "EVAL", "EVALSHA"])
        let sent = server.commands.withLockedValue { $0 }
        #expect(sent[1].arguments == ["return 1", 1, "k", 5])
        #expect(sent[2].arguments == ["e0e1f9fabfc9d4800c877a703b823ac0578ff8db", 1, "k", 5])
        #expect(sent.allSatisfy { $0.isReadOnly })
        #expect(sent[2] == script.command(keys: ["k"], arguments: [5]))
    }

    @Test func sendsTheSourceToAServerThatLostIt() async throws {
        let server = ScriptServer()
        let script = RedisScript("return 1")
        _ = try await server.evaluate(script, keys: [])
        server.known.withLockedValue { $0.removeAll() }
        _ = try await server.evaluate(script, keys: [])
        _ = try await server.evaluate(script, keys: [])
        #expect(server.names == ["EVALSHA", "EVAL", "EVALSHA", "EVAL", "EVALSHA"])
    }

    @Test(
        "digests are those of FIPS 180-4, wherever the text ends in its block",
        arguments: [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
            ),
            (String(repeating: "a", count: 1000), "291e9a6c66994949b57ba5e650361e98fc36b1ba"),
            (String(repeating: "x", count: 55), "cef734ba81a024479e09eb5a75b6ddae62e6abf1"),
            (String(repeating: "x", count: 56), "901305367c259952f4e7af8323f480d59f81335b"),
            (String(repeating: "x", count: 63), "0ddc4e0cccd9a12850deb5abb0853a4425559fec"),
            (String(repeating: "x", count: 64), "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"),
            (String(repeating: "x", count: 119), "4300320394f7ee239bcdce7d3b8bcee173a0cd5c"),
        ]
    )
    func digest(text: String, digest: String) {
        #expect(SHA1.hexadecimal(of: text) == digest)
    }
}
