import ArgumentParser
import Foundation
import Freshet
import FreshetServer
import RESP

/// Why the program ends, in the words of sysexits(3).
enum Exit: Int32 {
    case usage = 64
    case badData = 65
    case unavailable = 69
    case `internal` = 70
    case configuration = 78

    /// Runs the command that the arguments name, and ends the program.
    static func run(_ root: any AsyncParsableCommand.Type) async -> Never {
        do {
            var command = try root.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            exit(EXIT_SUCCESS)
        } catch let failure as Failure {
            if !failure.message.isEmpty { Output.error("freshet: \(failure.message)") }
            exit(failure.code.rawValue)
        } catch let error as ConfigurationError {
            Output.error(error.description)
            exit(configuration.rawValue)
        } catch let error as CacheError {
            Output.error("freshet: \(text(of: error))")
            exit(code(of: error).rawValue)
        } catch let error where isOfArgumentParser(error) {
            root.exit(withError: error)
        } catch {
            Output.error("freshet: \(error)")
            exit(`internal`.rawValue)
        }
    }

    private static func text(of error: CacheError) -> String {
        switch error.code {
        case .storeUnavailable, .storeTimedOut: "store: \(Reason.text(error))"
        default: error.message
        }
    }

    static func code(of error: CacheError) -> Exit {
        // A refused password or database is a setting that somebody has to mend.
        let obstacle = (error.underlying as? any CommandTransportError)?.obstacle
        if error.refusal == .credentials || obstacle == .credentials { return .configuration }
        if error.refusal == .database || obstacle == .database { return .configuration }
        return switch error.code {
        case .storeRejected where (error.underlying as? RESPError)?.code == .wrongType: .badData
        case .configuration: .configuration
        case .invalidArgument: .usage
        case .invalidValue, .unknownField, .absent: .badData
        case .storeUnavailable, .storeTimedOut, .storeRejected, .sourceFailed, .sourceTimedOut, .overloaded,
            .shuttingDown:
            .unavailable
        default: .internal
        }
    }

    /// Help, version and usage errors, which the package prints and ends by itself.
    private static func isOfArgumentParser(_ error: any Error) -> Bool {
        error is ExitCode || error is CleanExit || error is ValidationError
            || String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
    }
}

/// An end that has its message and exit code.
struct Failure: Error {
    let code: Exit
    /// Empty where everything has been said.
    let message: String

    init(_ code: Exit, _ message: String = "") {
        self.code = code
        self.message = message
    }
}
