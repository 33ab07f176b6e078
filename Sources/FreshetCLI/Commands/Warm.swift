import ArgumentParser

struct Warm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load what is not fresh, so that nobody has to wait for it."
    )

    private struct Outcome: Encodable, Sendable {
        let field: String
        var status: String?
        var bytes: Int?
        /// Whether the source says that there is no value. That, too, is loaded.
        var absent: Bool?
        var error: String?
        var code = Exit.unavailable

        private enum CodingKeys: CodingKey {
            case field, status, bytes, absent, error
        }
    }

    /// How many fields are asked for at once.
    private static let width = 4

    @Argument(help: "Names of fields; all of them if none is given.")
    var names: [FieldArgument] = []

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try service.client
        let names = names.isEmpty ? try await client.fieldNames() : names
        var progress = try ProgressBar(total: names.count, isShown: Output.isTerminal && !output.json)
        var outcomes: [Outcome] = []
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            var waiting = names.makeIterator()
            for _ in 0..<Self.width {
                if let name = waiting.next() { group.addTask { await Self.warm(name, client) } }
            }
            while let outcome = try await group.next() {
                outcomes.append(outcome)
                if !output.json { try progress.advance(Self.line(outcome)) }
                if let name = waiting.next() { group.addTask { await Self.warm(name, client) } }
            }
        }
        if output.json { try Output.json(outcomes.sorted { $0.field < $1.field }) }
        let failed = outcomes.filter { $0.error != nil }
        // The greatest says best that somebody has to do something.
        if let code = failed.map(\.code).max(by: { $0.rawValue < $1.rawValue }) {
            throw Failure(code, "\(failed.count) of \(names.count) fields could not be loaded")
        }
    }

    private static func warm(_ name: FieldArgument, _ client: ServiceClient) async -> Outcome {
        do {
            var loaded = try await client.load(name, .get, name.path)
            // Something stale is no answer here: what is asked for is a load.
            if case .value(_, let status) = loaded, status.contains("ttl=-") {
                loaded = try await client.load(name, .get, "\(name.path)?maxAge=0")
            }
            return switch loaded {
            case .value(let bytes, let status): Outcome(field: name.text, status: status, bytes: bytes)
            case .absent: Outcome(field: name.text, absent: true)
            }
        } catch {
            let failure = error as? Failure
            return Outcome(field: name.text, error: failure?.message ?? "\(error)", code: failure?.code ?? .internal)
        }
    }

    private static func line(_ outcome: Outcome) -> String {
        if let error = outcome.error { return "\(outcome.field): \(error)" }
        guard let bytes = outcome.bytes, let status = outcome.status else { return "\(outcome.field): no value" }
        return "\(outcome.field): \(bytes) bytes (\(status))"
    }
}
