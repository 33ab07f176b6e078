import NIOCore

/// Reads commands from JSON arrays. What exceeds a limit is refused where it stands, before the rest is read.
struct JSONCommandReader {
    private var scanner: JSONScanner
    private var argumentsLeft: Int
    private var last: KnownName?
    private let limits: UpstashEndpointLimits

    /// Reads `["SET","key","value"]`.
    ///
    /// - Throws: ``UpstashRefusal`` in the service's words.
    static func command(_ body: ByteBuffer, limits: UpstashEndpointLimits) throws -> UpstashCommand {
        try read(body, limits) { reader in try reader.command() }
    }

    /// Reads `[["SET","key","value"],["GET","key"]]`.
    static func commands(_ body: ByteBuffer, limits: UpstashEndpointLimits) throws -> UpstashCommands {
        try read(body, limits) { reader in
            var commands = UpstashCommands(textBytes: body.readableBytes)
            var isOpen = try reader.enterArray()
            while isOpen {
                guard commands.count < limits.maxCommands else {
                    throw UpstashRefusal("ERR more than \(limits.maxCommands) commands")
                }
                commands.append(try reader.command())
                isOpen = try reader.goOn()
            }
            guard commands.count > 0 else { throw UpstashRefusal.emptyCommand }
            return commands
        }
    }

    private static func read<Value>(
        _ body: ByteBuffer,
        _ limits: UpstashEndpointLimits,
        _ read: (inout Self) throws -> Value
    ) throws -> Value {
        try body.withUnsafeReadableBytes { bytes in
            var reader = Self(
                scanner: JSONScanner(body, bytes),
                argumentsLeft: limits.maxArguments,
                limits: limits
            )
            reader.scanner.skipSpace()
            if reader.scanner.next == nil { throw UpstashRefusal.emptyBody }
            let value = try read(&reader)
            reader.scanner.skipSpace()
            if reader.scanner.next != nil { throw reader.scanner.invalid("more after the end") }
            return value
        }
    }

    /// At an array's bracket; tells whether it has an element.
    private mutating func enterArray() throws -> Bool {
        guard scanner.next == UInt8(ascii: "[") else { throw UpstashRefusal.noArray }
        scanner.skip()
        scanner.skipSpace()
        guard scanner.next == UInt8(ascii: "]") else { return true }
        scanner.skip()
        return false
    }

    /// Behind an element of an array; tells whether there is another one.
    private mutating func goOn() throws -> Bool {
        scanner.skipSpace()
        switch scanner.next {
        case UInt8(ascii: ","):
            scanner.skip()
            scanner.skipSpace()
            return true
        case UInt8(ascii: "]"):
            scanner.skip()
            return false
        case nil: throw scanner.invalid("unexpected end")
        default: throw scanner.invalid("a comma or bracket is missing")
        }
    }

    private mutating func command() throws -> UpstashCommand {
        guard try enterArray() else { throw UpstashRefusal.emptyCommand }
        var command = try commandOfName()
        while try goOn() { command.append(try argument()) }
        return command
    }

    /// Looks a name up once where it is repeated, as it is in most pipelines.
    private mutating func commandOfName() throws -> UpstashCommand {
        if let last, scanner.skipRepetition(of: last.place) {
            try countArgument()
            return UpstashCommand(name: last.name, last.traits)
        }
        let start = scanner.position
        let isString = scanner.next == UInt8(ascii: "\"")
        let command = try UpstashCommand(name: argument())
        // A number may go on where another one ends.
        if isString { last = KnownName(place: start..<scanner.position, name: command.name, traits: command.traits) }
        return command
    }

    private mutating func countArgument() throws {
        guard argumentsLeft > 0 else { throw UpstashRefusal("ERR more than \(limits.maxArguments) arguments") }
        argumentsLeft -= 1
    }

    private mutating func argument() throws -> ByteBuffer {
        guard let next = scanner.next else { throw scanner.invalid("unexpected end") }
        try countArgument()
        switch next {
        case UInt8(ascii: "\""): return try scanner.string()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try scanner.number()
        case UInt8(ascii: "t"): return try scanner.word("true")
        case UInt8(ascii: "f"): return try scanner.word("false")
        case UInt8(ascii: "n"):
            _ = try scanner.word("null")
            throw UpstashRefusal.nullArgument
        case UInt8(ascii: "["): throw UpstashRefusal.unsupportedArgument("[")
        case UInt8(ascii: "{"): throw UpstashRefusal.unsupportedArgument("{")
        default: throw scanner.invalid("a value is missing")
        }
    }
}

/// What was found out of a name, and where it is written, with its quotes.
private struct KnownName {
    let place: Range<Int>
    let name: String
    let traits: UpstashCommandTraits
}
