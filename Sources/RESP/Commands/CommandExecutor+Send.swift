extension CommandExecutor {
    /// Runs any command, written as its words.
    ///
    /// ```swift
    /// let encoding = try await client.send("OBJECT", "ENCODING", key).string
    /// ```
    ///
    /// - Throws: as ``execute(_:)`` does.
    @discardableResult
    public func send(_ name: String, _ arguments: any RESPArgumentConvertible...) async throws -> RESPValue {
        try await execute(RESPCommand(name, arguments: arguments.map(\.respArgument)))
    }
}
