extension String {
    /// Without control characters, which would govern a terminal, and no longer than that.
    package func printable(_ limit: Int = .max) -> String {
        let characters = unicodeScalars.lazy.map { $0.properties.generalCategory == .control ? " " : Character($0) }
        return String(characters.prefix(limit))
    }
}
