import ArgumentParser
import FreshetServer

/// The option `--port`, and the variable in its place.
enum Port {
    /// - Throws: a usage error.
    static func check(_ port: Int?) throws {
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port takes a number from 0 to 65535.") }
    }

    /// - Throws: `ConfigurationError`.
    static func of(_ environment: Environment) throws -> Int? {
        guard let text = environment["FRESHET_PORT"] else { return nil }
        guard let port = Int(text), (0...65_535).contains(port) else {
            let message = "'\(text)' is no port"
            let advice = "use a number from 0 to 65535"
            throw ConfigurationError([
                ConfigurationProblem(origin: "FRESHET_PORT", message: message, advice: advice)
            ])
        }
        return port
    }
}
