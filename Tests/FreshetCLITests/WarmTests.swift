import Foundation
import NIOCore
import TestSupport
import Testing

@Suite("Warm")
struct WarmTests {
    private struct Fixture {
        let folder: Folder
        let service: FreshetProcess
        let url: String

        init() async throws {
            folder = try Folder()
            try folder.write("[1]", to: "a.json")
            try folder.write(
                """
                fields:
                  a: { ttl: 1h, source: { file: { path: a.json } } }
                  b: { ttl: 1h, source: { file: { path: a.json } } }
                  c: { ttl: 1h, source: { file: { path: gone.json } } }
                """,
                to: "freshet.yaml"
            )
            service = try FreshetProcess(["serve", "--port", "0"], directory: folder.url)
            url = try #require(await service.ready())
        }
    }

    @Test("draws a bar on a terminal, with a line above it for every field")
    func bar() async throws {
        let fixture = try await Fixture()
        let terminal = try PseudoTerminal()
        let warm = try FreshetProcess(["warm", "--url", fixture.url], output: terminal.file)
        #expect(await warm.exitCode() == 69)
        let output = terminal.output()
        let pieces = output.components(separatedBy: "\r\u{1B}[K")
        let bars = pieces.filter { $0.hasPrefix("[") }
        #expect(
            bars == [
                "[------------------------------] 0/3", "[##########--------------------] 1/3",
                "[####################----------] 2/3", "[##############################] 3/3\r\n",
            ]
        )
        let lines = pieces.filter { !$0.hasPrefix("[") && !$0.isEmpty }.sorted()
        #expect(
            lines.prefix(2) == [
                "a: 3 bytes (freshet; fwd=miss; stored)\r\n", "b: 3 bytes (freshet; fwd=miss; stored)\r\n",
            ]
        )
        #expect(lines.count == 3 && lines[2].hasPrefix("c: Failed to load c: "))
        #expect(warm.standardError.contains("1 of 3 fields could not be loaded"))
    }

    @Test("prints plain lines elsewhere, and JSON alone where that is asked for, on a terminal too")
    func plain() async throws {
        let fixture = try await Fixture()
        let plain = try await Run(["warm", "a", "b", "--url", fixture.url])
        #expect(plain.code == 0)
        #expect(!plain.output.contains("\u{1B}"))
        let lines = plain.output.split(separator: "\n").sorted()
        #expect(lines == ["a: 3 bytes (freshet; fwd=miss; stored)", "b: 3 bytes (freshet; fwd=miss; stored)"])
        let terminal = try PseudoTerminal()
        let json = try FreshetProcess(["warm", "a", "--json", "--url", fixture.url], output: terminal.file)
        #expect(await json.exitCode() == 0)
        #expect(terminal.output().hasPrefix("[{\"bytes\":3,\"field\":\"a\",\"status\":\"freshet; hit; ttl="))
    }

    @Test("a source that has no value is loaded as well; a refresh has nothing to show for it")
    func absent() async throws {
        let source = try await RawServer.start { _ in RawServer.Answer("404 Not Found", "Content-Length: 0") }
        let folder = try Folder()
        try folder.write("[1]", to: "a.json")
        try folder.write(
            """
            fields:
              a: { ttl: 1h, source: { file: { path: a.json } } }
              b: { ttl: 1h, negativeTTL: 1h, source: { http: { url: \(source.url) } } }
            """,
            to: "freshet.yaml"
        )
        let service = try FreshetProcess(["serve", "--port", "0"], directory: folder.url)
        let url = try #require(await service.ready())
        let all = try await Run(["warm", "--url", url])
        #expect(all.code == 0)
        #expect(all.output.split(separator: "\n").sorted().last == "b: no value")
        let json = try await Run(["warm", "b", "--json", "--url", url])
        #expect(json.code == 0)
        #expect(json.output == "[{\"absent\":true,\"field\":\"b\"}]\n")
        let unknown = try await Run(["warm", "b", "c", "--url", url])
        #expect(unknown.code == 65)
        #expect(unknown.errors == "freshet: 1 of 2 fields could not be loaded\n")
        let refresh = try await Run(["refresh", "b", "--url", url])
        #expect(refresh.code == 65)
        #expect(refresh.errors.hasPrefix("freshet: No value for b: "))
    }

    @Test("what is stale is loaded")
    func stale() async throws {
        let service = try await RawServer.start { head in
            let status = head.contains("maxage=0") ? "fwd=request" : "hit; ttl=-1"
            return RawServer.Answer(
                "200 OK",
                "Cache-Status: freshet; \(status)",
                "Content-Length: 2",
                body: ByteBuffer(string: "[]")
            )
        }
        let run = try await Run(["warm", "a", "--url", service.url])
        #expect(run.output == "a: 2 bytes (freshet; fwd=request)\n")
    }

    @Test("the exit code is that of the worst failure, whichever came first", arguments: ["a b", "b a"])
    func worst(names: String) async throws {
        let service = try await RawServer.start { head in
            RawServer.Answer(head.contains("/a ") ? "404 Not Found" : "502 Bad Gateway", "Content-Length: 0")
        }
        let run = try await Run(["warm", "--url", service.url] + names.split(separator: " ").map(String.init))
        #expect(run.code == 69)
        #expect(run.errors.contains("2 of 2 fields could not be loaded"))
    }

    @Test("what answers without Cache-Status is no service", arguments: ["warm", "refresh"])
    func other(command: String) async throws {
        let server = try await RawServer.start { _ in
            RawServer.Answer("200 OK", "Content-Length: 2", body: ByteBuffer(string: "[]"))
        }
        let run = try await Run([command, "a", "--url", server.url])
        #expect(run.code == 65)
        #expect((run.output + run.errors).contains("\(server.url) did not answer as a Freshet service does"))
    }
}
