import NIOCore

/// What a request asks for.
enum UpstashCall {
    case command(UpstashCommand)
    case pipeline(UpstashCommands)
    case transaction(UpstashCommands)
    case events(UpstashEvents)
}

extension UpstashCall {
    /// Reads the four forms: body, path with query and raw body, `/pipeline`, `/multi-exec`; and streams of events.
    ///
    /// - Parameter body: collects the body; not called for streams of events.
    /// - Throws: ``UpstashRefusal``.
    static func read(
        _ target: UpstashTarget,
        limits: UpstashEndpointLimits,
        body: () async throws -> ByteBuffer
    ) async throws -> UpstashCall {
        guard let first = target.path.first else {
            return .command(try JSONCommandReader.command(await body(), limits: limits))
        }
        var command = try UpstashCommand(name: first)
        switch (command.name, target.path.count) {
        case ("PIPELINE", 1):
            return .pipeline(try JSONCommandReader.pipeline(await body(), limits: limits))
        case ("MULTI-EXEC", 1):
            return .transaction(try JSONCommandReader.transaction(await body(), limits: limits))
        case ("SUBSCRIBE", 2...):
            return .events(.channels(try target.path.dropFirst().map(Self.channel)))
        case ("PSUBSCRIBE", 2...):
            return .events(.patterns(try target.path.dropFirst().map(Self.channel)))
        case ("MONITOR", 1):
            return .events(.monitor)
        default:
            for argument in target.path.dropFirst() { command.append(argument) }
            let raw = try await body()
            if raw.readableBytes > 0 { command.append(raw) }
            for (name, value) in target.query {
                command.append(name)
                if let value { command.append(value) }
            }
            return .command(command)
        }
    }

    var changesNothing: Bool {
        switch self {
        case .command(let command): command.traits.contains(.changesNothing)
        case .pipeline(let commands), .transaction(let commands):
            commands.traitsOfAll.contains(.changesNothing)
        case .events: true
        }
    }

    private static func channel(_ name: ByteBuffer) throws -> String {
        guard let name = name.withUnsafeReadableBytes({ String(validating: $0, as: UTF8.self) }) else {
            throw UpstashRefusal("ERR the name of a channel is not UTF-8")
        }
        return name
    }
}
