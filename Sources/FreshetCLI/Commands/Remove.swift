import ArgumentParser

struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove a field's value, fresh and stale.")

    @Argument(help: "The field's name.")
    var name: FieldArgument

    @OptionGroup var service: ServiceOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await service.client.send(.delete, name.path)
        try InvalidationReport.print(name.text, "removed", answer, json: output.json)
    }
}
