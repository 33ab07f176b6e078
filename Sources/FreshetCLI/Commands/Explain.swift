import ArgumentParser
import Freshet
import FreshetServer
import NIOCore

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say why the last reads and loads of a field did what they did on the node that answers."
    )

    @Argument(help: "The field's name.")
    var name: FieldArgument

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await service.client.send(.get, "\(name.path)/explain")
        guard let explanation = try? StoredJSON.decode(Explanation.self, from: answer.body) else {
            throw Failure(.badData, "the answer is no explanation; is it a Freshet service of this version?")
        }
        if output.json { return try Output.line(String(buffer: answer.body)) }
        for line in Self.lines(explanation) { try Output.foreign(line) }
    }

    private static func lines(_ explanation: Explanation) -> [String] {
        let state = explanation.state
        var head = "\(explanation.field): \(state.freshness)"
        if let age = state.age { head += ", \(time(age)) old" }
        if let ttl = state.ttl { head += ttl > 0 ? ", fresh for \(time(ttl))" : ", stale for \(time(-ttl))" }
        if state.isLoading { head += ", loading" }
        if let failure = state.failure { head += "; the last load failed: \(failure)" }
        if explanation.store != "up" { head += "; the store is away" }
        var lines = [head] + explanation.advice.map { "advice: \($0)" }
        if explanation.events.isEmpty { lines.append("nothing but fresh hits since this node started") }
        return lines
            + explanation.events.map { event in
                "\(time(event.ago)) ago  \(event.text)\(event.count > 1 ? "  (\(event.count) times)" : "")"
            }
    }

    private static func time(_ seconds: Double) -> String {
        Duration.milliseconds(Int64((min(max(seconds, 0), 1e12) * 1000).rounded())).roundedText
    }
}
