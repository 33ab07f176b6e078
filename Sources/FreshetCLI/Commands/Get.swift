import ArgumentParser
import Freshet
import NIOCore

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the value of a key.")

    @Argument(help: "The key.")
    var key: String

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await store.withStore { store in
            let value = try await store.get(key)
            if output.json {
                let text = value.map { JSONValue.string(String(buffer: $0)) } ?? .null
                return try Output.json(JSONValue.object(["key": .string(key), "value": text]))
            }
            if let value {
                Output.line(String(buffer: value))
            } else {
                Output.error("freshet: there is no key '\(key)'")
            }
        }
    }
}
