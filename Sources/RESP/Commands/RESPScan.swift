extension CommandExecutor {
    /// The keys of the database, a page at a time.
    ///
    /// ```swift
    /// for try await key in client.scan(matching: "user:*") { … }
    /// ```
    ///
    /// Keys that are there the whole time come at least once, and perhaps more often; others may come or not. Where another
    /// server takes over meanwhile, or this one starts anew, keys may be missed: cursors are not theirs.
    ///
    /// - Parameters:
    ///   - pattern: glob-style.
    ///   - count: about how many keys the server looks at for a page.
    ///   - type: only keys that hold this, such as `hash`.
    public func scan(matching pattern: String? = nil, count: Int = 100, type: String? = nil) -> RESPScan<Self> {
        var options: [RESPArgument] = ["COUNT", .integer(count)]
        if let pattern { options += ["MATCH", .string(pattern)] }
        if let type { options += ["TYPE", .string(type)] }
        return RESPScan(executor: self, options: options)
    }
}

/// The keys that ``CommandExecutor/scan(matching:count:type:)`` finds.
///
/// Keys need not be text, so that each is a string value: see ``RESPValue/string`` and ``RESPValue/bytes``.
public struct RESPScan<Executor: CommandExecutor>: AsyncSequence, Sendable {
    public typealias Element = RESPValue

    let executor: Executor
    let options: [RESPArgument]

    public func makeAsyncIterator() -> Iterator {
        Iterator(executor: executor, options: options)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let executor: Executor
        let options: [RESPArgument]
        /// Where the next page begins; `nil` after the last. An unsigned number, which `Int` could not always hold.
        var cursor: String? = "0"
        /// What is left of the page, last first.
        var page: [RESPValue] = []

        public mutating func next() async throws -> RESPValue? {
            try await next(isolation: #isolation)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(any Error) -> RESPValue? {
            while true {
                if let key = page.popLast() { return key }
                guard let position = cursor else { return nil }
                var command = RESPCommand("SCAN", position)
                command.append(contentsOf: options)
                let reply = try await executor.execute(command)
                guard let parts = reply.array, parts.count == 2, let next = parts[0].string, let keys = parts[1].array
                else { throw UnexpectedReplyError(command: command, expected: "a cursor and keys") }
                cursor = next == "0" ? nil : next
                page = keys.reversed()
            }
        }
    }
}
