/// Reads `store:`.
enum StoreReader {
    static func read(_ value: YAMLValue?, flag: String? = nil, _ scope: ReadingScope) -> StoreLocation {
        // Read even where it is overridden, so that its problems are found before it is needed.
        let ofFile = value.flatMap { value in value.word().map { (url: $0, place: value.place) } }
        let location = StoreLocation.resolve(flag: flag, file: ofFile?.url, environment: scope.environment)
        if let problem = location.problem() {
            switch location.origin {
            case .file: scope.report(ofFile?.place, problem.message, problem.advice)
            default: scope.report(origin: location.origin.description, problem.message, problem.advice)
            }
        }
        return location
    }
}

extension StoreLocation {
    /// The store of a configuration file, or of the environment where the file names none.
    ///
    /// - Throws: ``ConfigurationError`` for what is no YAML, and for `store:`; what is wrong elsewhere does not matter.
    package static func load(file: String, environment: Environment) throws -> StoreLocation {
        let scope = ReadingScope(file: file, environment: environment)
        let root = YAMLDocument.parse(try ConfigurationFile.text(file), in: scope)
        let members = root.flatMap { $0.isNull ? nil : $0.mapping() }
        let location = StoreReader.read(members?["store"], scope)
        try scope.throwProblems()
        return location
    }
}
