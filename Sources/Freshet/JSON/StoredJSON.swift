import Foundation
public import NIOCore
import NIOFoundationCompat

/// The JSON that is stored: the same value always gives the same bytes, and any other program can read them.
///
/// Keys are sorted, slashes are not escaped, dates are ISO 8601 in whole seconds, so that fractions are lost, and numbers
/// that JSON cannot express are an error.
public enum StoredJSON {
    /// - Throws: `CacheError` with `invalidValue`.
    public static func encode(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        do {
            return try encoder.encodeAsByteBuffer(value, allocator: ByteBufferAllocator())
        } catch {
            throw CacheError(
                .invalidValue,
                "a \(type(of: value)) has no JSON form: \(summary(of: error))",
                underlying: error
            )
        }
    }

    /// Of members of an object that have the same name the first counts.
    ///
    /// - Parameter inAnyUnicode: whether it may be UTF-16 or UTF-32, begin with a byte order mark, or, in UTF-8, have
    ///   halves of surrogate pairs, which are read as U+FFFD, as what is not served as it came may.
    /// - Throws: `CacheError` with `invalidValue`; its message names the type and the path in the document, never the
    ///   value.
    public static func decode<Value: Decodable>(
        _ type: Value.Type,
        from bytes: ByteBuffer,
        inAnyUnicode: Bool = false
    ) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        func failure(_ reason: String, _ cause: (any Error)? = nil) -> CacheError {
            // Readers of fields see it, who know no types.
            let name = type == JSONValue.self ? "JSON" : "\(type)"
            return CacheError(.invalidValue, "the bytes are no \(name): \(reason)", underlying: cause)
        }
        guard inAnyUnicode || isPlainUTF8(bytes) else { throw failure("not UTF-8") }
        let value: Value
        do {
            value = try decoder.decode(type, from: bytes)
        } catch {
            if inAnyUnicode, let bytes = bytes.replacingSurrogateHalves {
                return try decode(type, from: bytes, inAnyUnicode: true)
            }
            throw failure(fault(in: bytes, error) ?? summary(of: error), error)
        }
        // Foundation's decoder takes it, other programs do not.
        guard !hasTrailingComma(bytes) else { throw failure("a comma before a closing bracket") }
        return value
    }

    /// Foundation's decoder takes bytes for UTF-16 or UTF-32 by the first of them, skips a mark, and does not look into
    /// members that the type does not read.
    private static func isPlainUTF8(_ bytes: ByteBuffer) -> Bool {
        let bytes = bytes.readableBytesView
        let start = bytes.prefix(2)
        return !start.contains(0) && start.first != 0xEF && String(validating: bytes, as: UTF8.self) != nil
    }

    /// Whether well-formed JSON but for that has a comma before a closing bracket.
    private static func hasTrailingComma(_ bytes: ByteBuffer) -> Bool {
        bytes.withUnsafeReadableBytes { bytes in
            var strings = Strings()
            var isAfterComma = false
            for byte in bytes where !strings.contain(byte) {
                switch byte {
                case UInt8(ascii: "]"), UInt8(ascii: "}"): if isAfterComma { return true }
                case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): break
                default: isAfterComma = byte == UInt8(ascii: ",")
                }
            }
            return false
        }
    }

    /// Tells what is in strings, byte by byte.
    private struct Strings {
        private(set) var isOpen = false
        private var isEscaped = false

        /// Whether the next byte belongs to a string, but for the quotation mark that opens it.
        @inline(__always)
        mutating func contain(_ byte: UInt8) -> Bool {
            guard isOpen else {
                isOpen = byte == UInt8(ascii: "\"")
                return false
            }
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\"") {
                isOpen = false
            } else {
                isEscaped = byte == UInt8(ascii: "\\")
            }
            return true
        }
    }

    /// What is wrong with bytes as a whole, where the decoder says no more than that they are no JSON.
    private static func fault(in bytes: ByteBuffer, _ error: any Error) -> String? {
        guard case DecodingError.dataCorrupted(let context) = error, context.codingPath.isEmpty,
            !(context.underlyingError is JSONValue.UnreadableNumber)
        else { return nil }
        let bytes = bytes.readableBytesView
        guard let first = bytes.first(where: { !" \t\r\n".utf8.contains($0) }) else { return "empty" }
        guard String(validating: bytes, as: UTF8.self) != nil else { return "not UTF-8" }
        return "[{\"".utf8.contains(first) ? fault(inNestingOf: bytes) : nil
    }

    private static func fault(inNestingOf bytes: ByteBufferView) -> String? {
        var strings = Strings()
        var depth = 0
        var line = 1
        for byte in bytes {
            if byte == UInt8(ascii: "\n") { line += 1 }
            if strings.contain(byte) { continue }
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            default: break
            }
            if depth > maxDepth { return "nested too deeply" }
        }
        guard depth > 0 || strings.isOpen else { return nil }
        return "it ends too soon, after \(bytes.count) bytes, in line \(line)"
    }

    /// What Foundation's decoder takes.
    private static let maxDepth = 512

    private static func summary(of error: any Error) -> String {
        switch error {
        case EncodingError.invalidValue(_, let context): "no valid JSON value at \(path(context.codingPath))"
        case DecodingError.typeMismatch(let type, let context): "expected \(type) at \(path(context.codingPath))"
        case DecodingError.valueNotFound(let type, let context): "missing \(type) at \(path(context.codingPath))"
        case DecodingError.keyNotFound(let key, let context):
            "missing key '\(key.stringValue)' at \(path(context.codingPath))"
        case DecodingError.dataCorrupted(let context) where context.underlyingError is JSONValue.UnreadableNumber:
            "a number out of range or malformed at \(path(context.codingPath))"
        case DecodingError.dataCorrupted(let context): "malformed at \(path(context.codingPath))"
        default: "\(type(of: error))"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce("$") { path, key in key.intValue.map { "\(path)[\($0)]" } ?? "\(path).\(key.stringValue)" }
    }
}
