import ArgumentParser
import Freshet

struct TTL: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ttl",
        abstract: "Print the seconds that are left of a key: -1 if it does not expire, -2 if there is none."
    )

    private struct Report: Encodable {
        let key: String
        let ttl: Int64
    }

    @Argument(help: "The key.")
    var key: String

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await store.withStore { store in
            let seconds: Int64 =
                switch try await store.ttl(key) {
                case .missing: -2
                case .unlimited: -1
                // To the nearest, as Redis does.
                case .remaining(let time): (time + .milliseconds(500)).components.seconds
                }
            if output.json { try Output.json(Report(key: key, ttl: seconds)) } else { try Output.line(String(seconds)) }
        }
    }
}
