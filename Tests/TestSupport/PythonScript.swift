import Foundation

/// A script in the Python environment of the tests, `FRESHET_TEST_VENV` or what `scripts/install-test-tools` makes.
public struct PythonScript: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private let script: URL
    private let python: URL

    /// - Parameters:
    ///   - name: of a file beside the tests that run it.
    ///   - test: the file of those, two folders below the package's.
    public init(_ name: String, besideTest test: String = #filePath) {
        let folder = URL(filePath: test).deletingLastPathComponent()
        script = folder.appending(path: name)
        let package = folder.deletingLastPathComponent().deletingLastPathComponent()
        let named = ProcessInfo.processInfo.environment["FRESHET_TEST_VENV"].map { URL(filePath: $0) }
        python = (named ?? package.appending(path: ".build/venv")).appending(path: "bin/python")
    }

    /// Runs it to its end, which `waitUntilExit` may miss.
    ///
    /// - Returns: the exit code, and all that it printed.
    public func run(_ arguments: [String]) async throws -> (status: Int32, output: String) {
        guard FileManager.default.isExecutableFile(atPath: python.path()) else {
            throw Failure(description: "There is no \(python.path()); run scripts/install-test-tools.")
        }
        let process = Process()
        process.executableURL = python
        process.arguments = [script.path()] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        // In another thread than those that tests run in.
        let output = await withUnsafeContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: pipe.fileHandleForReading.readDataToEndOfFile())
            }
        }
        guard await eventually({ !process.isRunning }) else {
            throw Failure(description: "\(script.lastPathComponent) closed its output and runs on.")
        }
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
