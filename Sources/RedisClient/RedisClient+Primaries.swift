import NIOCore
public import RESP

extension RedisClient: PrimariesExecutor {
    public func executeOnPrimaries(_ command: RESPCommand) async throws -> [RESPValue] {
        switch backend {
        case .one: return try await execute(pipeline: [command])
        case .several(let executor):
            if let refusal = SharedConnectionRules.refusal([command]) { throw refusal }
            return try await executor.runOnPrimaries(
                command,
                deadline: .now() + TimeAmount(clamping: configuration.commandTimeout)
            )
        }
    }
}
