import ArgumentParser
import FreshetServer
import Logging

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read a configuration and report everything that is wrong in it."
    )

    private struct Report: Encodable {
        let file: String
        let valid: Bool
        var store: String?
        var fields: [String] = []
        var problems: [ConfigurationProblem] = []
        var warnings: [ConfigurationProblem] = []
    }

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Do not look at the Airtable tables of the fields.") var offline = false

    func run() async throws {
        let environment = Environment()
        let file = options.file(environment)
        do {
            let configuration = try load(environment)
            var findings = TableFindings()
            if !offline {
                findings = await configuration.inspectTables(
                    origin: file,
                    logger: Logger(label: "freshet", factory: { _ in SwiftLogNoOpLogHandler() })
                )
            }
            findings.warnings += configuration.inspectFiles(origin: file)
            try report(configuration, findings, file)
        } catch let error as ConfigurationError where output.json {
            try Output.json(Report(file: file, valid: false, problems: error.problems))
            throw Failure(.configuration)
        }
    }

    /// - Throws: ``ConfigurationError`` with what is wrong in the file and in the environment.
    private func load(_ environment: Environment) throws -> Configuration {
        do {
            _ = try Logs.level(environment)
        } catch var error as ConfigurationError {
            do { _ = try options.load(environment) } catch let others as ConfigurationError {
                error.problems += others.problems
            }
            throw error
        }
        return try options.load(environment)
    }

    private func report(_ configuration: Configuration, _ findings: TableFindings, _ file: String) throws {
        let warnings = configuration.warnings + findings.warnings
        if output.json {
            try Output.json(
                Report(
                    file: file,
                    valid: findings.problems.isEmpty,
                    store: configuration.store.description,
                    fields: configuration.fields.map(\.name),
                    problems: findings.problems,
                    warnings: warnings
                )
            )
            if !findings.problems.isEmpty { throw Failure(.configuration) }
            return
        }
        for warning in warnings { Output.error("warning: \(warning)") }
        if !findings.problems.isEmpty { throw ConfigurationError(findings.problems) }
        let fields = configuration.fields.map(\.name).joined(separator: ", ")
        try Output.line("\(file): valid; store \(configuration.store); fields: \(fields.isEmpty ? "none" : fields)")
    }
}
