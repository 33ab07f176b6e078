import NIOCore

/// The smallest pieces of the protocol: a whole scalar, or the head of something longer.
enum Token {
    case value(RESPValue)
    case aggregate(PartialAggregate.Kind, count: Int)
    /// A string whose bytes have not all arrived and which is worth memory of its own.
    case blob(BlobKind, length: Int)
    case incomplete

    /// Shorter strings wait in the input until they are complete.
    static let partialBlobThreshold = 4096

    /// - Parameters:
    ///   - bytes: what is left of `input` from `position` on.
    ///   - scan: of the line that `bytes` begin with.
    /// - Returns: the token and the number of bytes it took.
    static func read(
        _ bytes: UnsafeRawBufferPointer,
        at position: Int,
        of input: ByteBuffer,
        scan: inout LineScan,
        payloads: inout PayloadStorage,
        limits: RESPDecoder.Limits
    ) throws(RESPDecodingError) -> (Token, consumed: Int) {
        guard let type = bytes.first else { return (.incomplete, 0) }
        // A peer that speaks something else may never send a line end.
        guard isType(type) else { throw RESPDecodingError(.malformed) }
        guard let end = try scan.endOfLine(in: bytes, limit: limits.lineLength) else { return (.incomplete, 0) }
        let line = UnsafeRawBufferPointer(rebasing: bytes[1..<end])
        let next = end + 2
        switch type {
        case UInt8(ascii: "$"):
            return try blob(.bulkString, line, next, bytes, position, input, &payloads, limits)
        case UInt8(ascii: ":"):
            return (.value(.integer(try Scalars.integer(line))), next)
        case UInt8(ascii: "+"):
            return (.value(Scalars.status(line)), next)
        case UInt8(ascii: "*"):
            return (try aggregate(.array, line, limits), next)
        case UInt8(ascii: "-"):
            return (.value(.error(RESPError(Scalars.text(line)))), next)
        case UInt8(ascii: "_"):
            guard line.isEmpty else { throw RESPDecodingError(.malformed) }
            return (.value(.null), next)
        case UInt8(ascii: "%"):
            return (try aggregate(.map, line, limits), next)
        case UInt8(ascii: "~"):
            return (try aggregate(.set, line, limits), next)
        case UInt8(ascii: ">"):
            return (try aggregate(.push, line, limits), next)
        case UInt8(ascii: "|"):
            return (try aggregate(.attribute, line, limits), next)
        case UInt8(ascii: ","):
            return (.value(.double(try Scalars.double(line))), next)
        case UInt8(ascii: "#"):
            return (.value(.boolean(try Scalars.boolean(line))), next)
        case UInt8(ascii: "("):
            return (.value(.bigNumber(Scalars.text(line))), next)
        case UInt8(ascii: "="):
            return try blob(.verbatimString, line, next, bytes, position, input, &payloads, limits)
        case UInt8(ascii: "!"):
            return try blob(.error, line, next, bytes, position, input, &payloads, limits)
        default:
            throw RESPDecodingError(.malformed)
        }
    }

    private static func isType(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "$"), UInt8(ascii: ":"), UInt8(ascii: "+"), UInt8(ascii: "*"), UInt8(ascii: "-"),
            UInt8(ascii: "_"), UInt8(ascii: "%"), UInt8(ascii: "~"), UInt8(ascii: ">"), UInt8(ascii: "|"),
            UInt8(ascii: ","), UInt8(ascii: "#"), UInt8(ascii: "("), UInt8(ascii: "="), UInt8(ascii: "!"):
            true
        default:
            false
        }
    }

    private static func aggregate(
        _ kind: PartialAggregate.Kind,
        _ line: UnsafeRawBufferPointer,
        _ limits: RESPDecoder.Limits
    ) throws(RESPDecodingError) -> Token {
        let count = try Scalars.integer(line)
        if count == -1, case .array = kind { return .value(.null) }
        guard count >= 0 else { throw RESPDecodingError(.malformed) }
        let (elements, overflow) = count.multipliedReportingOverflow(by: kind.elementsPerEntry)
        guard !overflow, elements <= limits.elementCount else { throw RESPDecodingError(.tooLong) }
        return .aggregate(kind, count: elements)
    }

    private static func blob(
        _ kind: BlobKind,
        _ line: UnsafeRawBufferPointer,
        _ start: Int,
        _ bytes: UnsafeRawBufferPointer,
        _ position: Int,
        _ input: ByteBuffer,
        _ payloads: inout PayloadStorage,
        _ limits: RESPDecoder.Limits
    ) throws(RESPDecodingError) -> (Token, consumed: Int) {
        let length = try Scalars.integer(line)
        if length == -1, kind == .bulkString { return (.value(.null), start) }
        guard length >= 0 else { throw RESPDecodingError(.malformed) }
        guard length <= limits.blobLength else { throw RESPDecodingError(.tooLong) }
        let available = bytes.count - start
        guard available - 2 >= length else {
            if length >= partialBlobThreshold { return (.blob(kind, length: length), start) }
            // The head is short: reading it again is cheaper than remembering it.
            return (.incomplete, 0)
        }
        let end = start + length
        guard bytes[end] == UInt8(ascii: "\r"), bytes[end + 1] == UInt8(ascii: "\n") else {
            throw RESPDecodingError(.malformed)
        }
        let payload = payloads.keep(
            UnsafeRawBufferPointer(rebasing: bytes[start..<end]),
            at: position + start,
            of: input
        )
        return (.value(try kind.value(payload)), end + 2)
    }
}

/// Remembers how far a line that has no end yet was searched for it.
struct LineScan: Sendable {
    private var searched = 1

    /// The offset of the CR that ends the line at the start of `bytes`; `nil` if it has not arrived.
    mutating func endOfLine(
        in bytes: UnsafeRawBufferPointer,
        limit: Int
    ) throws(RESPDecodingError) -> Int? {
        var index = searched
        let last = bytes.count - 1
        while index < last {
            if bytes[index] == UInt8(ascii: "\r") {
                guard bytes[index + 1] == UInt8(ascii: "\n") else { throw RESPDecodingError(.malformed) }
                guard index <= limit else { throw RESPDecodingError(.tooLong) }
                searched = 1
                return index
            }
            index += 1
        }
        guard index <= limit else { throw RESPDecodingError(.tooLong) }
        searched = index
        return nil
    }
}
