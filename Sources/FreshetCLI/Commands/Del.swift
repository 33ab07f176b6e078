import ArgumentParser
import Freshet

struct Del: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Delete keys, and print how many there were.")

    private struct Report: Encodable {
        let deleted: Int
    }

    @Argument(help: "The keys.")
    var keys: [String]

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await store.withStore { store in
            let deleted = try await store.del(keys)
            if output.json { try Output.json(Report(deleted: deleted)) } else { try Output.line(String(deleted)) }
        }
    }
}
