/// A command and its arguments.
///
/// ```swift
/// RESPCommand("SET", key, value, "PX", 1500)
/// ```
///
/// Up to three arguments are kept in line, so that the common commands are built without allocating.
public struct RESPCommand: Sendable, Hashable {
    /// The name as it is sent, such as `GET`. Names of two words have the second as first argument.
    public let name: String
    /// The number of arguments after the name.
    public private(set) var argumentCount: Int

    @usableFromInline var first: RESPArgument
    @usableFromInline var second: RESPArgument
    @usableFromInline var third: RESPArgument
    @usableFromInline var rest: [RESPArgument]
    @usableFromInline var declaredReadOnly: Bool?

    @usableFromInline static var absent: RESPArgument { .integer(0) }

    @usableFromInline
    init(
        name: String,
        argumentCount: Int,
        first: RESPArgument = absent,
        second: RESPArgument = absent,
        third: RESPArgument = absent
    ) {
        self.name = name
        self.argumentCount = argumentCount
        self.first = first
        self.second = second
        self.third = third
        self.rest = []
    }

    @inlinable
    public init(_ name: String) {
        self.init(name: name, argumentCount: 0)
    }

    @inlinable
    public init(_ name: String, _ first: some RESPArgumentConvertible) {
        self.init(name: name, argumentCount: 1, first: first.respArgument)
    }

    @inlinable
    public init(_ name: String, _ first: some RESPArgumentConvertible, _ second: some RESPArgumentConvertible) {
        self.init(name: name, argumentCount: 2, first: first.respArgument, second: second.respArgument)
    }

    @inlinable
    public init(
        _ name: String,
        _ first: some RESPArgumentConvertible,
        _ second: some RESPArgumentConvertible,
        _ third: some RESPArgumentConvertible
    ) {
        self.init(
            name: name,
            argumentCount: 3,
            first: first.respArgument,
            second: second.respArgument,
            third: third.respArgument
        )
    }

    public init<each Argument: RESPArgumentConvertible>(_ name: String, _ arguments: repeat each Argument) {
        self.init(name: name, argumentCount: 0)
        for argument in repeat each arguments {
            append(argument)
        }
    }

    public init(_ name: String, arguments: some Sequence<some RESPArgumentConvertible>) {
        self.init(name: name, argumentCount: 0)
        append(contentsOf: arguments)
    }

    /// Adds one argument at the end.
    @inlinable
    public mutating func append(_ argument: some RESPArgumentConvertible) {
        append(argument.respArgument)
    }

    /// Adds one argument at the end.
    public mutating func append(_ argument: consuming RESPArgument) {
        switch argumentCount {
        case 0: first = argument
        case 1: second = argument
        case 2: third = argument
        default: rest.append(argument)
        }
        argumentCount += 1
    }

    /// Adds arguments at the end.
    public mutating func append(contentsOf arguments: some Sequence<some RESPArgumentConvertible>) {
        for argument in arguments { append(argument) }
    }

    /// Name and arguments, in bytes.
    package var byteCount: Int {
        var count = name.utf8.count
        forEachArgument { count += $0.byteCount }
        return count
    }

    /// The arguments after the name, in order.
    public var arguments: [RESPArgument] {
        var all: [RESPArgument] = []
        all.reserveCapacity(argumentCount)
        forEachArgument { all.append($0) }
        return all
    }

    /// The argument at a position after the name, counted from 0; `nil` if there are not so many.
    package func argument(at index: Int) -> RESPArgument? {
        guard index >= 0, index < argumentCount else { return nil }
        switch index {
        case 0: return first
        case 1: return second
        case 2: return third
        default: return rest[index - 3]
        }
    }

    /// Visits the arguments after the name, in order.
    @inlinable
    public func forEachArgument(_ body: (RESPArgument) throws -> Void) rethrows {
        if argumentCount > 0 { try body(first) }
        if argumentCount > 1 { try body(second) }
        if argumentCount > 2 { try body(third) }
        for argument in rest { try body(argument) }
    }
}

extension RESPCommand: CustomStringConvertible, CustomReflectable {
    /// Name and number of arguments; never the arguments, which may hold secrets and users' data.
    public var description: String {
        "\(name) (\(argumentCount) arguments)"
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
