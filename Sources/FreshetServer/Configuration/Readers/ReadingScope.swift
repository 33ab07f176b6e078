/// What everything that reads one file shares: its name, the variables, and the problems found so far.
final class ReadingScope {
    let file: String
    let environment: Environment
    private(set) var problems: [ConfigurationProblem] = []
    private var found: Set<ConfigurationProblem> = []
    private(set) var warnings: [ConfigurationProblem] = []

    init(file: String, environment: Environment) {
        self.file = file
        self.environment = environment
    }

    func report(_ place: Place?, _ message: String, _ advice: String) {
        report(problem(place, message, advice))
    }

    func warn(_ place: Place?, _ message: String, _ advice: String) {
        warnings.append(problem(place, message, advice))
    }

    /// A problem of a setting that came from elsewhere.
    func report(origin: String, _ message: String, _ advice: String) {
        report(ConfigurationProblem(origin: origin, message: message, advice: advice))
    }

    /// Two readers may look at one value.
    func report(_ problem: ConfigurationProblem) {
        if found.insert(problem).inserted { problems.append(problem) }
    }

    /// - Throws: ``ConfigurationError`` with what was found, if anything was.
    func throwProblems() throws {
        guard !problems.isEmpty else { return }
        // Stable, so that problems without a place stay behind those with one, in the order they were found.
        let ordered = problems.enumerated().sorted { left, right in
            (left.element.line ?? .max, left.element.column ?? .max, left.offset)
                < (right.element.line ?? .max, right.element.column ?? .max, right.offset)
        }
        throw ConfigurationError(ordered.map(\.element))
    }

    private func problem(_ place: Place?, _ message: String, _ advice: String) -> ConfigurationProblem {
        ConfigurationProblem(file, at: place, message, advice)
    }
}

extension ConfigurationProblem {
    init(_ origin: String, at place: Place?, _ message: String, _ advice: String) {
        self.init(origin: origin, line: place?.line, column: place?.column, message: message, advice: advice)
    }
}
