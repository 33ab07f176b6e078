import ArgumentParser
import Freshet
import NIOCore

/// Not `Set`, which is Swift's.
struct SetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Store a value, as it is, under a key.",
        discussion: "Values are JSON by convention: '\"text\"', '42', '{\"a\":1}'."
    )

    private struct Report: Encodable {
        let key: String
        let stored: Bool
    }

    @Argument(help: "The key.")
    var key: String

    @Argument(help: "The value; behind -- if it begins with a dash.")
    var value: String

    @Option(help: "Seconds until it expires.")
    var ex: Int?

    @Option(help: "Milliseconds until it expires.")
    var px: Int?

    @Flag(help: "Only if the key does not exist.")
    var nx = false

    @Flag(help: "Only if the key exists.")
    var xx = false

    @Flag(name: .customLong("keepttl"), help: "Keep the expiry of the value that is replaced.")
    var keepTTL = false

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let options = try CacheOptions(ex: ex, px: px, nx: nx, xx: xx, keepTTL: keepTTL)
        try await store.withStore { store in
            let stored = try await store.set(key, ByteBuffer(string: value), options: options)
            if output.json { return try Output.json(Report(key: key, stored: stored)) }
            try Output.line(stored ? "OK" : "not stored")
        }
    }
}
