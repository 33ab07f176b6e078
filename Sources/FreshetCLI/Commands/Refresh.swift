import ArgumentParser

struct Refresh: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Load a field anew, now.")

    private struct Report: Encodable {
        let field: String
        let bytes: Int
        let status: String
    }

    @Argument(help: "The field's name.")
    var name: FieldArgument

    @Flag(
        help: """
            Remove the old value first, so that nobody gets it even if the load fails. A refresh that began just before, \
            and answers this one, is not purged again.
            """
    )
    var purge = false

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let path = "\(name.path)/refresh\(purge ? "?purge=true" : "")"
        switch try await service.client.load(name, .post, path) {
        case .absent(let message):
            throw Failure(.badData, message)
        case .value(let bytes, let status):
            let report = Report(field: name.text, bytes: bytes, status: status)
            if output.json { return try Output.json(report) }
            try Output.foreign("\(name.text): \(bytes) bytes (\(status))")
        }
    }
}
