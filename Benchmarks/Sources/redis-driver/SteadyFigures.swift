import Foundation
import RedisClient

/// Figures that do not depend on how busy the machine is, and what they may be at most.
///
/// Each is measured until one round is good enough, several times at most: noise only ever makes them worse. Tasks that run on
/// other threads than the event loop send as many commands at once as there are processors free to run them while it
/// writes, so that only tasks on the event loop have to reach the whole of 40. Where the bare client gathers few as well, so
/// large a part of its number will do.
enum SteadyFigures {
    private static let rounds = 20
    private static let partOfBare = 0.6

    /// - Returns: whether all are as good as they must be.
    static func check(_ client: RedisClient, beside bareClient: BareClient, seconds: Double) async throws -> Bool {
        var isGood = true
        for (plan, maxAllocations, minCommands) in [
            (Plan.concurrent, 2, 25), (.concurrentOnEventLoop, 2, 40), (.pipelines, 0.3, 40),
            (.longPipelines, 0.3, 40),
        ] {
            try await plan.prepare(client)
            let subject = FreshetSubject(client, plan)
            try await Load.warmUp(plan, subject, client: client)
            var result = try await Load.run(plan, subject, client: client, seconds: seconds)
            var leastCommands = Double(minCommands)
            var ofBare: Double?
            func isOK() -> Bool {
                // Where they cannot be counted, nothing is shown.
                guard let allocations = result.allocations, let commands = result.commandsPerRead else { return false }
                return allocations <= maxAllocations && commands >= leastCommands
            }
            for _ in 1..<rounds where !isOK() {
                if let bare = BareSubject(bareClient, plan) {
                    let gathered = try await Load.run(plan, bare, client: client, seconds: seconds).commandsPerRead
                    ofBare = [ofBare, gathered].compactMap(\.self).max()
                    leastCommands = min(Double(minCommands), ofBare.map { partOfBare * $0 } ?? .infinity)
                }
                result = try await Load.run(plan, subject, client: client, seconds: seconds)
            }
            Output.line([
                ("case", "\"\(plan.name)\""), ("client", "\"freshet\""),
                ("allocations_per_op", result.allocations.map(Output.short) ?? "null"),
                ("at_most", "\(maxAllocations)"),
                ("commands_per_server_read", result.commandsPerRead.map(Output.short) ?? "null"),
                ("at_least", Output.short(leastCommands)), ("ok", "\(isOK())"),
            ])
            isGood = isGood && isOK()
        }
        return isGood
    }
}
