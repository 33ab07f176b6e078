public import NIOCore

/// One argument of a command: text, bytes or a number, kept as it is until it is written.
public enum RESPArgument: Sendable, Hashable {
    case string(String)
    case bytes(ByteBuffer)
    case integer(Int)

    /// Texts are equal if their bytes are: keys that are canonically equivalent are two, and may live on two servers.
    public static func == (one: RESPArgument, other: RESPArgument) -> Bool {
        switch (one, other) {
        case (.string(let one), .string(let other)): one.utf8.elementsEqual(other.utf8)
        // `==` of two buffers takes parts of one storage, of the same length, for equal where only their reader indices differ.
        case (.bytes(let one), .bytes(let other)):
            one.readableBytes == other.readableBytes && one.readableBytesView.elementsEqual(other.readableBytesView)
        case (.integer(let one), .integer(let other)): one == other
        default: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .string(var text): text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        case .bytes(let buffer): hasher.combine(buffer)
        case .integer(let integer): hasher.combine(integer)
        }
    }
}

/// What can be given as an argument of a ``RESPCommand``.
public protocol RESPArgumentConvertible {
    var respArgument: RESPArgument { get }
}

extension RESPArgument: RESPArgumentConvertible {
    @inlinable public var respArgument: RESPArgument { self }

    /// The bytes that go over the wire.
    public var bytes: ByteBuffer {
        switch self {
        case .string(let string): ByteBuffer(string: string)
        case .bytes(let buffer): buffer
        case .integer(let integer): ByteBuffer(string: String(integer))
        }
    }

    /// The number of bytes that go over the wire.
    package var byteCount: Int {
        switch self {
        case .string(let string): string.utf8.count
        case .bytes(let buffer): buffer.readableBytes
        case .integer(let integer): RawWriter.size(of: integer)
        }
    }

    /// The argument as text; `nil` for bytes that are not UTF-8.
    public var string: String? {
        switch self {
        case .string(let string): string
        case .bytes(let buffer): buffer.withUnsafeReadableBytes { String(validated: $0) }
        case .integer(let integer): String(integer)
        }
    }
}

extension RESPArgument: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    @inlinable public init(stringLiteral value: String) { self = .string(value) }
    @inlinable public init(integerLiteral value: Int) { self = .integer(value) }
}

extension String: RESPArgumentConvertible {
    @inlinable public var respArgument: RESPArgument { .string(self) }
}

extension Substring: RESPArgumentConvertible {
    @inlinable public var respArgument: RESPArgument { .string(String(self)) }
}

extension Int: RESPArgumentConvertible {
    @inlinable public var respArgument: RESPArgument { .integer(self) }
}

extension Double: RESPArgumentConvertible {
    /// The shortest text that reads back as the same number.
    @inlinable public var respArgument: RESPArgument { .string(description) }
}

extension ByteBuffer: RESPArgumentConvertible {
    @inlinable public var respArgument: RESPArgument { .bytes(self) }
}
