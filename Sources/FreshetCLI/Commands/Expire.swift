import ArgumentParser

struct Expire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a field stale: it is loaded at the next read, and served until then only as its policy allows."
    )

    @Argument(help: "The field's name.")
    var name: FieldArgument

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await service.client.send(.delete, "\(name.path)?soft=true")
        try InvalidationReport.print(name.text, "expired", answer, json: output.json)
    }
}
