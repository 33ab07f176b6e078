import NIOConcurrencyHelpers
import RESP

@testable import RedisClient

/// A sentinel that says what a test tells it to.
struct ScriptedSentinel {
    let server: ScriptedServer

    /// - Parameter primary: the port of the primary; another than before counts as a failover.
    static func start(primary: @escaping @Sendable () -> Int) async throws -> ScriptedSentinel {
        let epochs = NIOLockedValueBox<[Int]>([])
        let server = try await ScriptedServer.start { words in
            guard words.count > 1, words[0] == "SENTINEL" else { return "-ERR not here\r\n" }
            let port = primary()
            let epoch = epochs.withLockedValue { epochs in
                if epochs.last != port { epochs.append(port) }
                return epochs.count
            }
            switch words[1] {
            case "GET-MASTER-ADDR-BY-NAME": return "*2\r\n+127.0.0.1\r\n+\(port)\r\n"
            case "MASTER": return "*2\r\n+config-epoch\r\n+\(epoch)\r\n"
            default: return "*0\r\n"
            }
        }
        return ScriptedSentinel(server: server)
    }

    func client(_ change: (inout RedisClient.Configuration) -> Void = { _ in }) -> RedisClient {
        RedisClient(port: server.port) { configuration in
            configuration.topology = .sentinel(.init(sentinels: [configuration.address], primaryName: "main"))
            configuration.topologyInterval = .milliseconds(20)
            change(&configuration)
        }
    }
}
