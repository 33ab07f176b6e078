public import NIOCore

extension RESPValue {
    /// Whether this is the absence of a value.
    @inlinable
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The error, if this is an error reply.
    @inlinable
    public var error: RESPError? {
        if case .error(let error) = self { return error }
        return nil
    }

    /// The bytes of a string of any kind; `nil` for everything else.
    public var bytes: ByteBuffer? {
        switch self {
        case .bulkString(let buffer), .verbatimString(_, let buffer): buffer
        case .simpleString(let string), .bigNumber(let string): ByteBuffer(string: string)
        default: nil
        }
    }

    /// The text of a string of any kind; `nil` for everything else and for bytes that are not UTF-8.
    public var string: String? {
        switch self {
        case .simpleString(let string), .bigNumber(let string): string
        case .bulkString(let buffer), .verbatimString(_, let buffer):
            buffer.withUnsafeReadableBytes { String(validated: $0) }
        default: nil
        }
    }

    /// The number of an integer reply, of a double that is whole, or of a string that holds nothing but a decimal
    /// integer; 1 or 0 for a boolean.
    public var integer: Int? {
        switch self {
        case .integer(let value): value
        case .double(let value): Int(exactly: value)
        case .boolean(let value): value ? 1 : 0
        default: string.flatMap { Int($0) }
        }
    }

    /// The number of a double or integer reply, or of a string that holds nothing but a number (RESP2 has no doubles).
    public var double: Double? {
        switch self {
        case .double(let value): value
        case .integer(let value): Double(value)
        default: string.flatMap { Double($0) }
        }
    }

    /// A boolean reply, or the integer 0 or 1 that RESP2 sends in its place.
    public var boolean: Bool? {
        switch self {
        case .boolean(let value): value
        case .integer(0): false
        case .integer(1): true
        default: nil
        }
    }

    /// The elements of an array, a set or a push.
    @inlinable
    public var array: [RESPValue]? {
        switch self {
        case .array(let values), .set(let values), .push(let values): values
        default: nil
        }
    }

    /// The pairs of a RESP3 map, or of the array that RESP2 sends in its place: a flat one of alternating keys and
    /// values, or one of arrays of two (`XREAD`). RESP3 has such arrays too, where RESP2 has flat ones
    /// (`ZRANGE … WITHSCORES`).
    ///
    /// `nil` for everything else, as for an array of odd length, or with arrays in the place of keys.
    public var pairs: [Pair]? {
        switch self {
        case .map(let pairs):
            return pairs
        case .array(let values):
            let isNested = values.allSatisfy { if case .array(let pair) = $0 { pair.count == 2 } else { false } }
            let flat = isNested ? values.flatMap { $0.array ?? [] } : values
            guard flat.count.isMultiple(of: 2) else { return nil }
            let pairs = stride(from: 0, to: flat.count, by: 2).map { Pair(key: flat[$0], value: flat[$0 + 1]) }
            // No key is an array.
            return pairs.contains { $0.key.array != nil } ? nil : pairs
        default:
            return nil
        }
    }

    /// The value itself, or the error that it is, thrown.
    @inlinable
    public func get() throws(RESPError) -> RESPValue {
        if case .error(let error) = self { throw error }
        return self
    }
}
