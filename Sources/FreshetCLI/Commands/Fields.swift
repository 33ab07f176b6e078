import ArgumentParser
import FreshetServer
import NIOCore

struct Fields: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the fields of a running service and their state.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (catalogue, body) = try await service.client.catalogue()
        if output.json { return try Output.line(String(buffer: body)) }
        let rows = catalogue.fields.map { field in
            [
                field.name,
                field.state.freshness,
                field.state.age.map { Self.time($0) } ?? "-",
                field.state.ttl.map { Self.time($0) } ?? "-",
                field.policy.ttl,
                field.state.bytes.map(String.init) ?? "-",
                Self.next(field.state),
                field.key,
                field.state.failure ?? "",
            ]
        }
        let titles = ["FIELD", "STATE", "AGE", "LEFT", "TTL", "BYTES", "NEXT", "KEY", "LAST FAILURE"]
        for line in TextTable.lines(titles, rows) { try Output.foreign(line) }
        for field in catalogue.fields {
            for advice in field.advice { try Output.foreign("\(field.name): \(advice)") }
        }
    }

    /// When the field is refreshed on schedule.
    private static func next(_ state: CatalogueEntry.State) -> String {
        if let next = state.nextRefresh { return time(next) }
        return state.isIdle ? "idle" : "-"
    }

    private static func time(_ seconds: Double) -> String {
        Duration.seconds(Int64(min(max(seconds, -1e12), 1e12).rounded(.towardZero))).configurationText
    }
}
