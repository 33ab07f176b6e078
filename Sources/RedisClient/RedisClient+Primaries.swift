import NIOCore
public import RESP

extension RedisClient: PrimariesExecutor {
    public func executeOnPrimaries(_ command: RESPCommand) async throws -> [RESPValue] {
        if let refusal = SharedConnectionRules.refusal([command]) { throw refusal }
        return switch backend {
        case .one: try await execute(pipeline: [command])
        case .several(let executor):
            try await executor.runOnPrimaries(
                command,
                deadline: .now() + TimeAmount(clamping: configuration.commandTimeout)
            )
        }
    }
}
