import ArgumentParser

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the fields of a configuration over HTTP, until told to stop."
    )

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let configuration = try options.load()
        let logger = try Logs.start()
        ServiceRunner.warn(of: configuration, logger)
        try await ServiceRunner.run(configuration, logger: logger) { url in
            Output.announce("freshet: listening on \(url)")
        }
    }
}
