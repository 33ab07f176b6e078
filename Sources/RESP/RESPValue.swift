public import NIOCore

/// One value as a server sends it: every type of RESP2 and RESP3.
///
/// A command's reply has another shape in each version of the protocol (a map here, a flat array there; a double here,
/// a string there). The accessors – ``string``, ``integer``, ``double``, ``boolean``, ``pairs`` – hide the difference,
/// so that code above the wire need not know which version was spoken.
public enum RESPValue: Sendable, Hashable {
    /// No value: RESP3 `_`, and the RESP2 null bulk string and null array.
    case null
    /// A short status such as `OK`. One that is not UTF-8 is a ``bulkString(_:)``.
    case simpleString(String)
    /// A binary-safe string. Its buffer may share storage of a few kilobytes with neighbouring replies.
    case bulkString(ByteBuffer)
    /// Text with a three-letter format such as `txt` or `mkd`.
    indirect case verbatimString(format: String, ByteBuffer)
    /// An error reply (RESP3 knows a simple and a blob form; the difference carries no meaning).
    case error(RESPError)
    case integer(Int)
    case double(Double)
    case boolean(Bool)
    /// An integer of any size, as the digits that were received. Servers do not check what a script gives out as one.
    case bigNumber(String)
    case array([RESPValue])
    /// Keys and values in the order in which they were received.
    case map([Pair])
    case set([RESPValue])
    /// A message that answers no command: published messages, invalidations.
    case push([RESPValue])

    /// One key of a map with its value.
    public struct Pair: Sendable, Hashable {
        public var key: RESPValue
        public var value: RESPValue

        @inlinable
        public init(key: RESPValue, value: RESPValue) {
            self.key = key
            self.value = value
        }
    }
}
