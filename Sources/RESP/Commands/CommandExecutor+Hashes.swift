public import NIOCore

extension CommandExecutor {
    /// `HGET`: the bytes of a hash's field, `nil` if it is not there.
    public func hget(_ key: String, _ field: String) async throws -> ByteBuffer? {
        try await execute(RESPCommand("HGET", key, field), as: "a string", Self.optionalBytes)
    }

    /// `HSET`: how many fields are new.
    @discardableResult
    public func hset(_ key: String, _ fields: [String: some RESPArgumentConvertible]) async throws -> Int {
        if fields.isEmpty { return 0 }
        var command = RESPCommand("HSET", key)
        for (field, value) in fields {
            command.append(field)
            command.append(value)
        }
        return try await execute(command, as: "a number", \.integer)
    }

    /// `HGETALL`: all fields; none if the hash is not there. Of fields whose names are canonically
    /// equivalent, which `String` takes for one, any one.
    ///
    /// - Throws: ``UnexpectedReplyError`` if a field's name is not UTF-8, among others.
    public func hgetall(_ key: String) async throws -> [String: ByteBuffer] {
        try await execute(RESPCommand("HGETALL", key), as: "fields with names in UTF-8, and values") { reply in
            reply.pairs.flatMap { pairs in
                var fields: [String: ByteBuffer] = [:]
                fields.reserveCapacity(pairs.count)
                for pair in pairs {
                    guard let name = pair.key.string, let value = pair.value.bytes else { return nil }
                    fields[name] = value
                }
                return fields
            }
        }
    }

    /// `HDEL`: how many of the fields were there.
    @discardableResult
    public func hdel(_ key: String, _ fields: String...) async throws -> Int {
        if fields.isEmpty { return 0 }
        return try await execute(RESPCommand("HDEL", arguments: [key] + fields), as: "a number", \.integer)
    }
}
