import Foundation
import FreshetTesting
import Testing

@Suite("Airtable stand-in: pyairtable, a client by other people")
struct PyairtableTests {
    @Test("pyairtable lists, filters, sorts, posts and understands the errors")
    func pyairtable() async throws {
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let environment = ProcessInfo.processInfo.environment["FRESHET_TEST_VENV"]
        let root = here.deletingLastPathComponent().deletingLastPathComponent()
        let venv = environment.map { URL(filePath: $0) } ?? root.appending(path: ".build/venv")
        let python = venv.appending(path: "bin/python")
        let install = "python3 -m venv .build/venv && .build/venv/bin/pip install pyairtable"
        try #require(
            FileManager.default.isExecutableFile(atPath: python.path()),
            "pyairtable is missing; install it with: \(install)"
        )

        var configuration = AirtableStandIn.Configuration()
        configuration.requestsPerSecond = 1000
        let standIn = AirtableStandIn(configuration: configuration)
        try await AirtableStandIn.withStandIn(standIn) { standIn in
            let script = here.appending(path: "pyairtable_check.py").path()
            let (status, output) = try await run(python.path(), [script, standIn.url, standIn.token])
            #expect(status == 0, "\(output)\nIf pyairtable is missing, install it with: \(install)")
            #expect(output.contains("pyairtable agrees"))
            #expect(standIn.statistics.posts == 4)
        }
    }
}

/// Runs a program to its end, in another thread than those that tests run in.
private func run(_ program: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
    try await withUnsafeThrowingContinuation { continuation in
        DispatchQueue.global().async {
            let process = Process()
            process.executableURL = URL(filePath: program)
            process.arguments = arguments
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = pipe
            do {
                try process.run()
                let output = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(
                    returning: (process.terminationStatus, String(decoding: output, as: UTF8.self))
                )
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}
