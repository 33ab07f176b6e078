import RESP

/// What runs the commands of an endpoint.
protocol UpstashBackend: Sendable {
    /// - Throws: `CacheError` if the store does not answer.
    func connect() async throws

    /// Answers in the order of the commands; errors of commands stay in their places.
    ///
    /// - Parameter hasScripts: whether there are some with ``UpstashCommandTraits/ofScripts``.
    /// - Throws: ``UpstashRefusal`` if no answers came.
    func execute(_ commands: [RESPCommand], hasScripts: Bool) async throws -> [RESPValue]

    /// Runs all commands, with nothing of others in between, or none. Their errors stay in their places.
    ///
    /// - Throws: ``UpstashRefusal`` if none was run, or no answers came.
    func transaction(_ commands: [RESPCommand], hasScripts: Bool) async throws -> [RESPValue]

    /// Returns once it is listening.
    ///
    /// - Parameter events: channels or patterns.
    func subscribe(_ events: UpstashEvents) async throws -> RedisSubscription

    /// Returns once the store tells of the commands that it runs. The lines end where some may be missing.
    func monitor() async throws -> AsyncStream<String>

    func close() async
}
