/// Runs commands on one server, or on several that share the keys.
public protocol PrimariesExecutor: CommandExecutor {
    /// Runs a command that concerns no key on every primary.
    ///
    /// - Returns: their replies, in no particular order.
    /// - Throws: the executor's ``CommandTransportError`` when one of them did not answer.
    func executeOnPrimaries(_ command: RESPCommand) async throws -> [RESPValue]
}
