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
        guard let port = PortText.port(text) else {
            throw ConfigurationError([PortText.problem(text, origin: "FRESHET_PORT")])
        }
        return port
    }
}
