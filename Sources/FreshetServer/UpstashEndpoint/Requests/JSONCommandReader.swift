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

    /// Reads `[["SET","key","value"],["GET","key"]]`; the whole is refused with one of them.
    static func transaction(_ body: ByteBuffer, limits: UpstashEndpointLimits) throws -> UpstashCommands {
        try read(body, limits) { reader in try reader.readCommands { try $0.readCommand() } }
    }

    /// The same, but what no command can have is refused in the place of its own.
    static func pipeline(_ body: ByteBuffer, limits: UpstashEndpointLimits) throws -> UpstashCommands {
        try read(body, limits) { reader in try reader.readCommands { try $0.readEntry() } }
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
        return scanner.enter()
    }

    private mutating func readCommands(_ readOne: (inout Self) throws -> Void) throws {
        var isOpen = try enterArray()
        if !isOpen { throw UpstashRefusal.emptyPipeline }
        while isOpen {
            guard commands.count < limits.maxCommands else {
                throw UpstashRefusal("ERR more than \(limits.maxCommands) commands")
            }
            try readOne(&self)
            isOpen = try scanner.goOn()
        }
    }

    private mutating func readCommand() throws {
        guard try enterArray() else { throw UpstashRefusal.emptyCommand }
        try readElements()
    }

    private mutating func readElements() throws {
        try readName()
        while try scanner.goOn() { commands.append(argument: try argument()) }
    }

    /// Reads on where the command cannot be one, so that those behind it are read, too.
    private mutating func readEntry() throws {
        let place = commands.count
        guard try enterArray() else { return refuse(place, .emptyPipelineCommand) }
        do {
            try readElements()
        } catch let refusal as UpstashRefusal where refusal.isOfOneCommand {
            while try scanner.goOn() { try scanner.skipValue() }
            refuse(place, refusal)
        }
    }

    private mutating func refuse(_ place: Int, _ refusal: UpstashRefusal) {
        commands.refuse(place, refusal)
        // Its name is not that of the last command.
        lastName = nil
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
        case UInt8(ascii: "n"):
            try scanner.skipValue()
            throw UpstashRefusal.nullArgument
        case UInt8(ascii: "["), UInt8(ascii: "{"):
            try scanner.skipValue()
            throw next == UInt8(ascii: "[") ? UpstashRefusal.arrayArgument : UpstashRefusal.objectArgument
        default: return try scanner.scalar()
        }
    }
}
