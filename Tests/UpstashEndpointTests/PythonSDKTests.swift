import Foundation
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Upstash's own Python SDK")
struct PythonSDKTests {
    @Test("strings, hashes, collections, streams, scripts, pipelines, transactions and errors are as it expects")
    func sdk() async throws {
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let environment = ProcessInfo.processInfo.environment["FRESHET_TEST_VENV"]
        let root = here.deletingLastPathComponent().deletingLastPathComponent()
        let venv = environment.map { URL(filePath: $0) } ?? root.appending(path: ".build/venv")
        let python = venv.appending(path: "bin/python").path()
        try #require(FileManager.default.isExecutableFile(atPath: python), "Run scripts/install-test-tools")
        let script = here.appending(path: "upstash_redis_check.py").path()
        try await Endpoint.overRedis { endpoint, _ in
            let arguments = [script, endpoint.url, Endpoint.token, Endpoint.readOnlyToken]
            let (status, output) = try await run(python, arguments)
            #expect(status == 0, "\(output)\nIf upstash_redis is missing, run scripts/install-test-tools")
            #expect(output.contains("upstash-redis agrees"))
        }
    }
}

/// Runs a program to its end, which `waitUntilExit` may miss.
private func run(_ program: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    // In another thread than those that tests run in.
    let output = await withUnsafeContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: pipe.fileHandleForReading.readDataToEndOfFile()) }
    }
    try #require(await eventually { !process.isRunning })
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}
