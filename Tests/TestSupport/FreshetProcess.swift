public import Foundation

/// The command-line program as a process of its own.
public final class FreshetProcess: Sendable {
    public struct NotBuilt: Error {}

    private let process: Process
    /// What it prints goes to files: the ends of pipes leak into processes that other tests start at the same time, and
    /// so do not tell when it is over.
    private let folder: Folder

    /// - Parameters:
    ///   - environment: all of it; nothing of the test's own but the path is handed on.
    ///   - output: where it prints to, in place of ``standardOutput``.
    ///   - hasOutput: whether there is anything to print to.
    ///   - outlivesTerminal: whether it is started by `nohup`.
    ///   - files: how many it may have open; nil leaves that to the system.
    public init(
        _ arguments: [String],
        environment: [String: String] = [:],
        directory: URL? = nil,
        output: FileHandle? = nil,
        hasOutput: Bool = true,
        outlivesTerminal: Bool = false,
        files: Int? = nil
    ) throws {
        process = Process()
        var command = [try Self.executable().path] + arguments
        if outlivesTerminal { command.insert("/usr/bin/nohup", at: 0) }
        if !hasOutput { command = ["/bin/sh", "-c", "exec \"$0\" \"$@\" >&-"] + command }
        if let files { command = ["/bin/sh", "-c", "ulimit -n \(files) && exec \"$0\" \"$@\""] + command }
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        var all = environment
        all["PATH"] = ProcessInfo.processInfo.environment["PATH"]
        process.environment = all
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        folder = try Folder()
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.write("", to: "output")))
        process.standardOutput = output ?? file
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.write("", to: "errors")))
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Beside the test bundle, unless `FRESHET_EXECUTABLE` names another, such as a release build to be measured.
    private static func executable() throws -> URL {
        if let path = ProcessInfo.processInfo.environment["FRESHET_EXECUTABLE"] { return URL(fileURLWithPath: path) }
        var folder = Bundle.main.executableURL?.deletingLastPathComponent()
        if let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") }) {
            folder = URL(fileURLWithPath: bundle).deletingLastPathComponent()
        }
        guard let executable = folder?.appendingPathComponent("freshet"),
            FileManager.default.isExecutableFile(atPath: executable.path)
        else { throw NotBuilt() }
        return executable
    }

    public var standardOutput: String { folder.read("output") }
    fileprivate var outputBytes: Data { folder.readBytes("output") }
    public var standardError: String { folder.read("errors") }
    public var isRunning: Bool { process.isRunning }

    /// The URL of the ready line, once it is printed.
    public func ready(within limit: Duration = .seconds(30)) async -> String? {
        let prefix = "freshet: listening on "
        _ = await eventually(within: limit) { standardOutput.contains(prefix) || !isRunning }
        let line = standardOutput.split(separator: "\n").first { $0.hasPrefix(prefix) }
        return line.map { String($0.dropFirst(prefix.count)) }
    }

    public func terminate() { tell(SIGTERM) }

    public func interrupt() { tell(SIGINT) }

    /// As a terminal does that closes.
    public func hangUp() { tell(SIGHUP) }

    /// Ends it at once, as a crash would.
    public func crash() { tell(SIGKILL) }

    public func tell(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// The exit code; nil if it does not end in time.
    public func exitCode(within limit: Duration = .seconds(30)) async -> Int32? {
        guard await eventually(within: limit, { !isRunning }) else { return nil }
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }
}

/// A run from start to end.
public struct Run: Sendable {
    public let code: Int32?
    /// Standard output, byte for byte.
    public let bytes: Data
    public let errors: String

    /// ``bytes`` as text; empty if they are none.
    public var output: String { String(data: bytes, encoding: .utf8) ?? "" }

    public init(
        _ arguments: [String],
        environment: [String: String] = [:],
        directory: URL? = nil,
        within limit: Duration = .seconds(30)
    ) async throws {
        let process = try FreshetProcess(arguments, environment: environment, directory: directory)
        code = await process.exitCode(within: limit)
        bytes = process.outputBytes
        errors = process.standardError
    }
}

/// A folder of the test's own, gone with it.
public final class Folder: Sendable {
    public let url: URL

    public init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("freshet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    public func read(_ name: String) -> String {
        String(data: readBytes(name), encoding: .utf8) ?? ""
    }

    func readBytes(_ name: String) -> Data { (try? Data(contentsOf: url.appendingPathComponent(name))) ?? Data() }

    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        let file = url.appendingPathComponent(name)
        try Data(text.utf8).write(to: file, options: .atomic)
        return file.path
    }
}
