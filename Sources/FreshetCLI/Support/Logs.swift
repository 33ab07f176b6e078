import FreshetServer
import Logging

/// Logs go to standard error.
enum Logs {
    /// - Parameter quiet: for commands whose output is what counts.
    static func start(_ environment: Environment = Environment(), quiet: Bool = false) throws -> Logger {
        var level: Logger.Level = quiet ? .error : .info
        if let name = environment["FRESHET_LOG_LEVEL"] {
            guard let chosen = Logger.Level(rawValue: name.lowercased()) else {
                let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                throw ConfigurationError([
                    ConfigurationProblem(
                        origin: "FRESHET_LOG_LEVEL",
                        message: "'\(name)' is no log level",
                        advice: "use one of \(names)"
                    )
                ])
            }
            level = chosen
        }
        LoggingSystem.bootstrap { [level] label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "freshet")
    }
}
