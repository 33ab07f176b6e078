import NIOCore

/// Reads commands from JSON arrays. What exceeds a limit is refused where it stands, before the rest is read.
struct JSONCommandReader {
    private var scanner: JSONScanner
    private var commands: UpstashCommands
    /// Where the last name is written, with its quotes.
    private var lastName: Range<Int>?
    private var argumentsLeft: Int
    private let limits: UpstashEndpointLimits

    /// Reads `["SET","key","value"]`.
    ///
    /// - Throws: ``UpstashRefusal`` in the service's words.
    static func command(_ body: ByteBuffer, limits: UpstashEndpointLimits) throws -> UpstashCommand {
        try read(body, limits) { reader in try reader.readCommand() }[0]
    }

    /// Reads `[["SET","key","value"],["GET","key"]]`.
    static func commands(_ body: ByteBuffer, limits: UpstashEndpointLimits) throws -> UpstashCommands {
        try read(body, limits) { reader in
            var isOpen = try reader.enterArray()
            if !isOpen { throw UpstashRefusal.emptyCommand }
            while isOpen {
                guard reader.commands.count < limits.maxCommands else {
                    throw UpstashRefusal("ERR more than \(limits.maxCommands) commands")
                }
                try reader.readCommand()
                isOpen = try reader.goOn()
            }
        }
    }

    private static func read(
        _ body: ByteBuffer,
        _ limits: UpstashEndpointLimits,
        _ read: (inout Self) throws -> Void
    ) throws -> UpstashCommands {
        try body.withUnsafeReadableBytes { bytes in
            var reader = Self(
                scanner: JSONScanner(body, bytes),
                commands: UpstashCommands(textBytes: body.readableBytes),
                argumentsLeft: limits.maxArguments,
                limits: limits
            )
            reader.scanner.skipSpace()
            if reader.scanner.next == nil { throw UpstashRefusal.emptyBody }
            try read(&reader)
            reader.scanner.skipSpace()
            if reader.scanner.next != nil { throw reader.scanner.invalid("more after the end") }
            return reader.commands
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

    private mutating func readCommand() throws {
        guard try enterArray() else { throw UpstashRefusal.emptyCommand }
        try readName()
        while try goOn() { commands.append(argument: try argument()) }
    }

    /// Looks a name up once where it is repeated, as it is in most pipelines.
    private mutating func readName() throws {
        if let lastName, scanner.skipRepetition(of: lastName) {
            try countArgument()
            return commands.repeatName()
        }
        let start = scanner.position
        let isString = scanner.next == UInt8(ascii: "\"")
        commands.append(try UpstashCommand(name: argument()))
        // A number may go on where another one ends.
        lastName = isString ? start..<scanner.position : nil
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
