import Foundation

/// The file itself.
enum ConfigurationFile {
    /// - Throws: ``ConfigurationError``.
    static func text(_ file: String) throws -> String {
        do {
            return try String(contentsOf: URL(fileURLWithPath: file), encoding: .utf8)
        } catch {
            let isMissing = !FileManager.default.fileExists(atPath: file)
            throw ConfigurationError([
                ConfigurationProblem(
                    origin: file,
                    message: isMissing ? "there is no such file" : "the file cannot be read as UTF-8 text",
                    advice: "name the configuration with --config or FRESHET_CONFIG"
                )
            ])
        }
    }
}
