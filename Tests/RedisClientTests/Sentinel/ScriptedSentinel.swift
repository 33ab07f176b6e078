import NIOConcurrencyHelpers

@testable import RedisClient

/// A sentinel that says what a test tells it to.
struct ScriptedSentinel {
    /// How often it was asked for what.
    struct Counts: Equatable {
        var looks = 0
        var subscriptions = 0
    }

    let server: ScriptedServer
    private let counted: NIOLockedValueBox<Counts>

    var counts: Counts { counted.withLockedValue { $0 } }

    /// - Parameters:
    ///   - others: the ports of the other sentinels.
    ///   - epochs: the ports of the primaries so far, which sentinels that are asked together share.
    ///   - primary: the port of the primary; another than before counts as a failover.
    static func start(
        others: @escaping @Sendable () -> [Int] = { [] },
        epochs: NIOLockedValueBox<[Int]> = NIOLockedValueBox([]),
        primary: @escaping @Sendable () -> Int
    ) async throws -> ScriptedSentinel {
        let counted = NIOLockedValueBox(Counts())
        let server = try await ScriptedServer.start { words in
            if words[0] == "SUBSCRIBE" {
                counted.withLockedValue { $0.subscriptions += 1 }
                return ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n"
            }
            guard words.count > 1, words[0] == "SENTINEL" else { return "-ERR not here\r\n" }
            let port = primary()
            let epoch = epochs.withLockedValue { epochs in
                if epochs.last != port { epochs.append(port) }
                return epochs.count
            }
            switch words[1] {
            case "GET-MASTER-ADDR-BY-NAME": return "*2\r\n+127.0.0.1\r\n+\(port)\r\n"
            case "MASTER":
                counted.withLockedValue { $0.looks += 1 }
                return "*2\r\n+config-epoch\r\n+\(epoch)\r\n"
            default:
                let entries = others().map { "*4\r\n+ip\r\n+127.0.0.1\r\n+port\r\n+\($0)\r\n" }
                return "*\(entries.count)\r\n" + entries.joined()
            }
        }
        return ScriptedSentinel(server: server, counted: counted)
    }

    /// Sentinels that know each other.
    static func start(
        _ count: Int,
        primary: @escaping @Sendable () -> Int
    ) async throws -> [ScriptedSentinel] {
        let (ports, epochs) = (NIOLockedValueBox<[Int]>([]), NIOLockedValueBox<[Int]>([]))
        var sentinels: [ScriptedSentinel] = []
        for _ in 0..<count {
            sentinels.append(
                try await start(others: { ports.withLockedValue { $0 } }, epochs: epochs, primary: primary)
            )
        }
        ports.withLockedValue { $0 = sentinels.map(\.server.port) }
        return sentinels
    }

    /// Tells those who listen of a failover.
    func tell(of name: String = "main", from old: Int, to new: Int) {
        let text = "\(name) 127.0.0.1 \(old) 127.0.0.1 \(new)"
        server.push(">3\r\n+message\r\n++switch-master\r\n+\(text)\r\n")
    }

    func client(_ change: (inout RedisClient.Configuration) -> Void = { _ in }) -> RedisClient {
        RedisClient(port: server.port) { configuration in
            configuration.topology = .sentinel(.init(sentinels: [configuration.address], primaryName: "main"))
            configuration.topologyInterval = .milliseconds(20)
            change(&configuration)
        }
    }
}
