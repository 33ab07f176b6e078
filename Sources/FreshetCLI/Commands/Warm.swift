import ArgumentParser
import FreshetServer
import NIOCore

struct Warm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load what is not fresh, so that nobody has to wait for it."
    )

    private struct Outcome: Encodable, Sendable {
        let field: String
        var status: String?
        var bytes: Int?
        var error: String?
        var code = Exit.unavailable

        private enum CodingKeys: CodingKey {
            case field, status, bytes, error
        }
    }

    /// How many fields are asked for at once.
    private static let width = 4

    @Argument(help: "Names of fields; all of them if none is given.")
    var names: [String] = []

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try service.client
        let names = names.isEmpty ? try await client.catalogue().catalogue.fields.map(\.name) : names
        var progress = ProgressBar(total: names.count, isShown: Output.isTerminal && !output.json)
        var outcomes: [Outcome] = []
        await withTaskGroup(of: Outcome.self) { group in
            var waiting = names.makeIterator()
            for _ in 0..<Self.width {
                if let name = waiting.next() { group.addTask { await Self.warm(name, client) } }
            }
            while let outcome = await group.next() {
                outcomes.append(outcome)
                if !output.json { progress.advance(Self.line(outcome)) }
                if let name = waiting.next() { group.addTask { await Self.warm(name, client) } }
            }
        }
        if output.json { try Output.json(outcomes.sorted { $0.field < $1.field }) }
        let failed = outcomes.filter { $0.error != nil }
        if let first = failed.first {
            throw Failure(first.code, "\(failed.count) of \(names.count) fields could not be loaded")
        }
    }

    private static func warm(_ name: String, _ client: ServiceClient) async -> Outcome {
        do {
            var answer = try await client.send(.get, ServiceClient.path(name))
            // Something stale is no answer here: what is asked for is a load.
            if answer.cacheStatus?.contains("ttl=-") ?? false {
                answer = try await client.send(.get, ServiceClient.path(name) + "?maxAge=0")
            }
            return Outcome(field: name, status: answer.cacheStatus, bytes: answer.body.readableBytes)
        } catch {
            let failure = error as? Failure
            return Outcome(field: name, error: failure?.message ?? "\(error)", code: failure?.code ?? .internal)
        }
    }

    private static func line(_ outcome: Outcome) -> String {
        if let error = outcome.error { return "\(outcome.field): \(error)" }
        return "\(outcome.field): \(outcome.bytes ?? 0) bytes (\(outcome.status ?? "no Cache-Status"))"
    }
}
