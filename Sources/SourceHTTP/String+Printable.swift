extension String {
    /// Without control characters, and no longer than that: fit for a log line.
    package func printable(_ limit: Int) -> String {
        let characters = unicodeScalars.lazy.map { $0.properties.generalCategory == .control ? " " : Character($0) }
        return String(characters.prefix(limit))
    }
}
