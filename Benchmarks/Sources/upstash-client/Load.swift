import RESP

/// One command, over and over.
enum Load: String {
    case get, set

    init?(_ name: String) { self.init(rawValue: name.lowercased()) }

    private static let value = String(repeating: "x", count: 64)

    private var command: RESPCommand {
        switch self {
        case .get: RESPCommand("GET", "bench")
        case .set: RESPCommand("SET", "bench", Self.value)
        }
    }

    func run(
        _ client: some CommandExecutor,
        tasks: Int,
        seconds: Double
    ) async throws -> (commands: Int, rate: Double) {
        _ = try await client.execute(Self.set.command)
        let command = command
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        let commands = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    var count = 0
                    while ContinuousClock.now < end {
                        _ = try await client.execute(command)
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return (commands, Double(commands) / ((ContinuousClock.now - start) / .seconds(1)))
    }

    /// Half GET, half SET.
    static func pipeline(of count: Int) -> [RESPCommand] {
        (0..<count).map { index in
            let key = "bench:\(index / 2)"
            return index.isMultiple(of: 2) ? RESPCommand("SET", key, value) : RESPCommand("GET", key)
        }
    }
}
