import ArgumentParser

/// The option `--port`.
enum Port {
    /// - Throws: a usage error.
    static func check(_ port: Int?) throws {
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port takes a number from 0 to 65535.") }
    }
}
