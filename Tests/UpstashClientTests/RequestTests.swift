import Foundation
import NIOCore
import RESP
import Testing

@testable import UpstashClient

@Suite struct RequestTests {
    private let binary = ByteBuffer(bytes: [0xFF, 0x00, 0x22])

    private func json(_ command: RESPCommand) -> String? {
        var buffer = ByteBuffer(string: "before")
        guard CommandJSON.write(command, to: &buffer) else {
            #expect(buffer == ByteBuffer(string: "before"))
            return nil
        }
        return String(String(buffer: buffer).dropFirst(6))
    }

    private func limits(_ change: (inout UpstashClient.Configuration) -> Void = { _ in }) throws
        -> UpstashClient.Configuration
    {
        var configuration = try UpstashClient.Configuration(url: "https://h", token: "t")
        change(&configuration)
        return configuration
    }

    @Test func writesJSON() throws {
        #expect(json(RESPCommand("SET", "k", 12_345_678_901_234)) == #"["SET","k","12345678901234"]"#)
        let odd = "\"\\\u{0}\u{1F}\n/ñ😀\u{7F}"
        let text = try #require(json(RESPCommand("SET", odd, ByteBuffer(string: odd))))
        let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String]
        #expect(parsed == ["SET", odd, odd])
        let controls = (0..<0x20).map { String(UnicodeScalar(UInt8($0))) }.joined()
        let escapes = (0..<0x20).map { "\\u00" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(json(RESPCommand("SET", controls + "\"\\ ")) == "[\"SET\",\"\(escapes)\\\"\\\\ \"]")
        #expect(json(RESPCommand("SET", "k", binary)) == nil)
        #expect(json(RESPCommand("PING")) == #"["PING"]"#)
    }

    @Test("bytes that are not UTF-8 are the body of a path")
    func writesPaths() throws {
        let set = try PathForm(RESPCommand("SET", "a/b ñ", binary, "PX", 100, "NX"))
        #expect(set.target == "/SET/a%2Fb%20%C3%B1?PX=100&NX")
        #expect(set.body == binary)
        #expect(try PathForm(RESPCommand("SET", "k", binary, "NX", "PX", 100)).target == "/SET/k?NX&PX=100")
        #expect(try PathForm(RESPCommand("GET", binary)).target == "/GET")
        #expect(try PathForm(RESPCommand("HSET", "..", "f", binary)).target == "/HSET/%2E%2E/f")
        let refused = [
            RESPCommand("MSET", binary, binary), RESPCommand("SET", "", binary), RESPCommand("SET", "k", binary, ""),
            RESPCommand("HSET", "h", "f", binary, "_token", "5"),
        ]
        for command in refused {
            let error = #expect(throws: UpstashError.self) { try PathForm(command) }
            #expect(error?.code == .unsupportedCommand)
        }
    }

    private func sizes(_ pieces: [Piece]) -> [Int] {
        pieces.map { piece in
            guard piece.form == .list else { return 0 }
            let text = "[\(String(buffer: piece.body))]"
            let list = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [Any]
            #expect(list?.count == piece.commands.count)
            return piece.commands.count
        }
    }

    @Test func splitsBelowTheLimits() throws {
        let command = RESPCommand("SET", "k", String(repeating: "x", count: 40))
        let size = try #require(json(command)).utf8.count
        let limits = try limits { $0.maxRequestBytes = size * 3 + 2 + 2 }
        for count in 0...10 {
            let pieces = RequestPlan(Array(repeating: command, count: count), limits: limits).pieces
            #expect(sizes(pieces).reduce(0, +) == count)
            #expect(sizes(pieces).dropLast().allSatisfy { $0 == 3 })
        }
        let few = try self.limits { $0.maxCommandsPerRequest = 2 }
        #expect(sizes(RequestPlan(Array(repeating: command, count: 5), limits: few).pieces) == [2, 2, 1])
        let mixed = [command, RESPCommand("SET", "k", binary), command, command]
        #expect(sizes(RequestPlan(mixed, limits: limits).pieces) == [1, 0, 2])
    }

    @Test("the limit is that of a command's own bytes, not of the JSON that carries them")
    func countsACommandsOwnBytes() throws {
        // Escaped they are six times as many.
        let quotes = RESPCommand("SET", "k", String(repeating: "\u{1}", count: 96))
        let limits = try limits { $0.maxRequestBytes = 100 }
        #expect(try Piece(quotes, limits: limits).body.readableBytes > 500)
        let several = RequestPlan([RESPCommand("PING"), quotes, RESPCommand("PING")], limits: limits).pieces
        #expect(sizes(several) == [1, 1, 1])
        #expect(try RequestPlan.transaction([quotes, quotes], limits: limits).commands.count == 2)
        let binary = RESPCommand("SET", "ñ/ñ/ñ/ñ/", ByteBuffer(repeating: 0xFF, count: 80))
        #expect(try Piece(binary, limits: limits).form != .list)
    }

    @Test func refusesWhatNoRequestCanHold() throws {
        let large = RESPCommand("SET", "k", String(repeating: "x", count: 97))
        let limits = try limits { $0.maxRequestBytes = 100 }
        for body in [
            { _ = try Piece(large, limits: limits) },
            { _ = try Piece(RESPCommand("SET", "k", ByteBuffer(repeating: 0xFF, count: 97)), limits: limits) },
            { _ = try RequestPlan.transaction([large], limits: limits) },
        ] as [() throws -> Void] {
            let error = #expect(throws: UpstashError.self) { try body() }
            #expect(error?.code == .requestTooLarge)
            #expect(error?.isRefusal == true)
            #expect(error?.mayHaveExecuted == false)
        }
    }

    @Test("what is too large is refused before it is written out, be it in a form that does not exist")
    func refusesBeforeItWrites() throws {
        let limits = try limits { $0.maxRequestBytes = 100 }
        let bytes = ByteBuffer(repeating: 0xFF, count: 60)
        let command = RESPCommand("MSET", "a", bytes, "b", bytes)
        for body in [
            { _ = try Piece(command, limits: limits) }, { _ = try RequestPlan.transaction([command], limits: limits) },
            { if let refusal = RequestPlan([command], limits: limits).refusals.first { throw refusal.error } },
        ] as [() throws -> Void] {
            let error = #expect(throws: UpstashError.self) { try body() }
            #expect(error?.code == .requestTooLarge)
        }
    }

    @Test("of a pipeline only what no request can hold is refused")
    func refusesOneOfMany() throws {
        let large = RESPCommand("SET", "k", String(repeating: "x", count: 97))
        let ping = RESPCommand("PING")
        let limits = try limits { $0.maxRequestBytes = 100 }
        let plan = RequestPlan([large, ping, RESPCommand("MSET", binary, binary), ping, large, large], limits: limits)
        #expect(sizes(plan.pieces) == [2])
        #expect(plan.refusals.map(\.place) == [0, 2, 4, 5])
        let expected: [UpstashError.Code] = [
            .requestTooLarge, .unsupportedCommand, .requestTooLarge, .requestTooLarge,
        ]
        #expect(plan.refusals.map(\.error.code) == expected)
    }

    private func load(_ script: RedisScript) -> RESPCommand {
        var load = RESPCommand("SCRIPT", "LOAD", script.source)
        load.isReadOnly = true
        return load
    }

    @Test("the source of a script goes ahead where it would make a path too long")
    func loadsScriptsThatAreNotText() throws {
        let script = RedisScript("return ARGV[1]--" + String(repeating: "x", count: 5000))
        let limits = try limits()
        let text = RESPCommand("EVAL", script.source, 1, "k", "v")
        #expect(try RequestPlan.pieces(of: text, limits: limits).map(\.commands) == [[text]])
        for (name, byDigest, isReadOnly) in [("EVAL", "EVALSHA", false), ("eval_ro", "EVALSHA_RO", true)] {
            let command = RESPCommand(name, script.source, 1, "k", binary)
            let pieces = try RequestPlan.pieces(of: command, limits: limits)
            #expect(pieces.map(\.form) == [.list, .path("/\(byDigest)/\(script.sha1)/1/k")])
            #expect(pieces[0].commands == [load(script)])
            #expect(pieces.map(\.isReadOnly) == [true, isReadOnly])
            #expect(pieces.map(\.isPreparation) == [true, false])
            let ping = RESPCommand("PING")
            let pipeline = RequestPlan([ping, command, ping], limits: limits).pieces
            #expect(pipeline.map(\.form) == [.list, .list, pieces[1].form, .list])
        }
        let short = RESPCommand("EVAL", "return 1", 1, "k", binary)
        #expect(try RequestPlan.pieces(of: short, limits: limits).map(\.form) == [.path("/EVAL/return%201/1/k")])
        #expect(try PathForm(RESPCommand("EVAL", binary, 0)).target == "/EVAL?0")
        #expect(try RequestPlan.pieces(of: RESPCommand("EVAL", binary, 0), limits: limits).count == 1)
    }

    @Test func keepsTheNewestToken() {
        var token = SyncToken()
        let first = token.send()
        let second = token.send()
        #expect(first.token == nil)
        token.receive("second", by: second.number, isWrite: true)
        token.receive("first", by: first.number, isWrite: true)
        let third = token.send()
        #expect(third.token == "second")
        let fourth = token.send()
        // A write's, though it was sent earlier than the read that was answered before.
        token.receive("fourth", by: fourth.number, isWrite: false)
        token.receive("third", by: third.number, isWrite: true)
        let fifth = token.send()
        #expect(fifth.token == "third")
        token.receive("fifth", by: fifth.number, isWrite: false)
        #expect(token.send().token == "fifth")
    }
}
