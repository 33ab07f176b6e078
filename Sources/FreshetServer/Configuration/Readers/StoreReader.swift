/// Reads `store:`.
enum StoreReader {
    static func read(_ value: YAMLValue?, flag: String? = nil, _ scope: ReadingScope) -> StoreLocation {
        let environment = scope.environment
        let url = value?.word()
        let location = StoreLocation.resolve(flag: flag, file: url, environment: environment)
        guard location.origin != .file else {
            if let problem = location.problem() { value?.report(problem.message, problem.advice) }
            return location
        }
        // So that they are found before it is needed; the variables of another place need not be set here.
        let ofFile = url.map { StoreLocation(url: $0, origin: .file) }
        if let ofFile, StoreForm(scheme: ofFile.scheme) != .upstash, let problem = ofFile.problem() {
            value?.report(problem.message, problem.advice)
        }
        if let problem = location.problem() {
            scope.report(origin: location.origin.description, problem.message, problem.advice)
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
        let members = root?.section()
        let location = StoreReader.read(members?["store"], scope)
        try scope.throwProblems()
        return location
    }
}
