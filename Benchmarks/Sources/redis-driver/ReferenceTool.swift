import Foundation

/// `redis-benchmark`, which comes with the server.
enum ReferenceTool {
    /// What it reads and writes when told to use one key.
    static let key = "key:000000000000"

    /// - Returns: operations a second; `nil` if the tool is not installed or does nothing of the kind.
    static func run(_ plan: Plan, seconds: Double, port: Int) throws -> Double? {
        let test: String
        switch plan.operation {
        case .get: test = "get"
        case .set: test = "set"
        case .lrange: return nil
        }
        let guess = 40_000 * seconds * Double(plan.pipeline > 1 ? 20 : 1) / (plan.size > 64 ? 1.5 : 1)
        let output = try? Shell.output(
            "redis-benchmark",
            "-p",
            "\(port)",
            "-t",
            test,
            "-c",
            "\(plan.tasks)",
            "-n",
            "\(Int(guess))",
            "-d",
            "\(plan.size)",
            "-P",
            "\(plan.pipeline)",
            "-r",
            "1",
            "--csv"
        )
        guard
            let line = output?.split(separator: "\n").last(where: { $0.hasPrefix("\"GET\"") || $0.hasPrefix("\"SET\"") }
            )
        else { return nil }
        let cells = line.split(separator: ",").map { $0.trimmingCharacters(in: ["\""]) }
        return cells.count > 1 ? Double(cells[1]) : nil
    }
}

enum Shell {
    static func output(_ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}

/// A `redis-server` for this run.
struct LocalServer {
    let port = 7497
    private let process: Process

    static func start() throws -> LocalServer {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "redis-server", "--port", "7497", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        ]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let server = LocalServer(process: process)
        for _ in 0..<200 {
            if (try? Shell.output("redis-cli", "-p", "\(server.port)", "PING").hasPrefix("PONG")) == true { break }
            usleep(20_000)
        }
        return server
    }

    /// Freezes it.
    func pause() { kill(process.processIdentifier, SIGSTOP) }

    func resume() { kill(process.processIdentifier, SIGCONT) }

    func stop() {
        process.terminate()
        // So that the next run finds the port free.
        process.waitUntilExit()
    }
}
