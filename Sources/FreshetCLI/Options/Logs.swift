import FreshetServer
import Logging

/// Logs go to standard error.
enum Logs {
    /// - Parameter quiet: for commands whose output is what counts.
    static func start(_ environment: Environment = Environment(), quiet: Bool = false) throws -> Logger {
        let level = try level(environment) ?? (quiet ? .error : .info)
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "freshet")
    }

    /// What the environment asks for.
    ///
    /// - Throws: ``ConfigurationError``.
    static func level(_ environment: Environment) throws -> Logger.Level? {
        guard let name = environment["FRESHET_LOG_LEVEL"] else { return nil }
        if let level = Logger.Level(rawValue: name.lowercased()) { return level }
        let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        throw ConfigurationError([
            ConfigurationProblem(
                origin: "FRESHET_LOG_LEVEL",
                message: "'\(name)' is no log level",
                advice: "use one of \(names)"
            )
        ])
    }
}
