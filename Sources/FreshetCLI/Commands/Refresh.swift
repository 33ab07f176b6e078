import ArgumentParser
import NIOCore

struct Refresh: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Load a field anew, now.")

    private struct Report: Encodable {
        let field: String
        let bytes: Int
        let status: String?
    }

    @Argument(help: "The field's name.")
    var name: String

    @Flag(help: "Remove the old value first, so that nobody gets it even if the load fails.")
    var purge = false

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let path = "\(ServiceClient.path(name))/refresh\(purge ? "?purge=true" : "")"
        let answer = try await service.client.send(.post, path)
        let report = Report(field: name, bytes: answer.body.readableBytes, status: answer.cacheStatus)
        if output.json { return try Output.json(report) }
        Output.line("\(name): \(report.bytes) bytes (\(report.status ?? "no Cache-Status"))")
    }
}
