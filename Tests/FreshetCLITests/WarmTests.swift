import Foundation
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
        let warm = try FreshetProcess(["warm", "--url", fixture.url], terminal: terminal)
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
        let json = try FreshetProcess(["warm", "a", "--json", "--url", fixture.url], terminal: terminal)
        #expect(await json.exitCode() == 0)
        #expect(terminal.output().hasPrefix("[{\"bytes\":3,\"field\":\"a\",\"status\":\"freshet; hit; ttl="))
    }
}
