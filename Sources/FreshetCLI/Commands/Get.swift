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
                let member = try value.map { JSONValue.string(try text(of: $0)) } ?? .null
                return try Output.json(JSONValue.object(["key": .string(key), "value": member]))
            }
            if let value {
                try Output.line(value)
            } else {
                Output.error("freshet: there is no key '\(key)'")
            }
        }
    }

    private func text(of value: ByteBuffer) throws -> String {
        guard let text = String(validating: value.readableBytesView, as: UTF8.self) else {
            throw Failure(.badData, "the value of '\(key)' is not UTF-8, so JSON cannot hold it; leave --json out")
        }
        return text
    }
}
