import Foundation
import TestSupport
import Testing

@Suite struct BenchTests {
    private struct Line: Decodable {
        let operation: String
        let tasks: Int
        let bytes: Int
        let operations: Int
        let errors: Int
        let first_error: String?
        let ops_per_second: Double
        let p50_ms: Double
        let p999_ms: Double
        let max_ms: Double
    }

    @Test("prints a line for each case and leaves nothing behind")
    func lines() async throws {
        let server = try await RedisServer.start()
        let arguments = ["bench", "--store", server.url, "--seconds", "0.05", "--tasks", "1,4", "--size", "64"]
        let run = try await Run(arguments + ["--json"])
        #expect(run.code == 0, "\(run.errors)")
        let lines = try run.output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        #expect(lines.map(\.operation) == ["get", "get", "set", "set"])
        #expect(lines.map(\.tasks) == [1, 4, 1, 4])
        #expect(lines.allSatisfy { $0.operations > 0 && $0.errors == 0 && $0.bytes == 64 && $0.ops_per_second > 0 })
        #expect(lines.allSatisfy { $0.p50_ms > 0 && $0.p50_ms <= $0.p999_ms && $0.p999_ms <= $0.max_ms })
        // A median is no more than two means.
        #expect(lines.allSatisfy { $0.p50_ms <= 2020 * Double($0.tasks) / $0.ops_per_second })
        let table = try await Run(arguments)
        #expect(table.output.split(separator: "\n").count == 5)
        #expect(try await Run(["get", "any", "--store", server.url]).code == 0)
        #expect(LoopbackSocket.exchange("DBSIZE\r\n", port: server.port) == ":0\r\n")
    }

    @Test("says why operations failed")
    func failures() async throws {
        let server = try await RedisServer.start(arguments: ["--user", "bench", "on", ">key", "~*", "+@all", "-get"])
        let url = "redis://bench:key@127.0.0.1:\(server.port)"
        let arguments = ["bench", "--store", url, "--seconds", "0.05", "--tasks", "1", "--size", "64"]
        let run = try await Run(arguments + ["--json"])
        let lines = try run.output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        #expect(lines.map { $0.errors > 0 } == [true, false], "\(run.errors)")
        #expect(lines.map { $0.ops_per_second > 0 } == [false, true], "of those that did not")
        #expect(lines.first?.first_error?.contains("permission") == true)
        let table = try await Run(arguments)
        #expect(table.output.contains("The first error: ") && table.output.contains("permission"))
    }

    @Test("ends once its reader has gone, and leaves nothing behind")
    func left() async throws {
        let server = try await RedisServer.start()
        let tasks = Array(repeating: "1", count: 200).joined(separator: ",")
        let pipe = Pipe()
        try pipe.fileHandleForReading.close()
        let run = try FreshetProcess(
            ["bench", "--store", server.url, "--seconds", "0.5", "--tasks", tasks, "--size", "64", "--json"],
            output: pipe.fileHandleForWriting
        )
        #expect(await run.exitCode() == 0)
        #expect(run.standardError == "")
        #expect(LoopbackSocket.exchange("DBSIZE\r\n", port: server.port) == ":0\r\n")
    }

    @Test("numbers that make no sense are wrong usage", arguments: ["--tasks=0", "--size=1,x", "--seconds=-1"])
    func usage(option: String) async throws {
        #expect(try await Run(["bench", "--store", "redis://127.0.0.1:1", option]).code == 64)
    }
}
