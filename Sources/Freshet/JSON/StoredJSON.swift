import Foundation
public import NIOCore
import NIOFoundationCompat

/// The JSON that is stored: the same value always gives the same bytes, and any other program can read them.
///
/// Keys are sorted, slashes are not escaped, dates are ISO 8601, and numbers that JSON cannot express are an error.
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

    /// - Throws: `CacheError` with `invalidValue`; its message names the type and the path in the document, never the
    ///   value.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: ByteBuffer) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        let value: Value
        do {
            value = try decoder.decode(type, from: bytes)
        } catch {
            throw CacheError(.invalidValue, "the bytes are no \(type): \(summary(of: error))", underlying: error)
        }
        // Foundation's decoder takes it, other programs do not.
        guard !hasTrailingComma(bytes) else {
            throw CacheError(.invalidValue, "the bytes are no \(type): a comma before a closing bracket")
        }
        return value
    }

    /// Whether well-formed JSON but for that has a comma before a closing bracket.
    private static func hasTrailingComma(_ bytes: ByteBuffer) -> Bool {
        bytes.withUnsafeReadableBytes { bytes in
            var (isInString, isEscaped, isAfterComma) = (false, false, false)
            for byte in bytes {
                if isInString {
                    if isEscaped {
                        isEscaped = false
                    } else if byte == UInt8(ascii: "\"") {
                        isInString = false
                    } else {
                        isEscaped = byte == UInt8(ascii: "\\")
                    }
                    continue
                }
                switch byte {
                case UInt8(ascii: "]"), UInt8(ascii: "}"): if isAfterComma { return true }
                case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): break
                default:
                    isInString = byte == UInt8(ascii: "\"")
                    isAfterComma = byte == UInt8(ascii: ",")
                }
            }
            return false
        }
    }

    private static func summary(of error: any Error) -> String {
        switch error {
        case EncodingError.invalidValue(_, let context): "no valid JSON value at \(path(context.codingPath))"
        case DecodingError.typeMismatch(let type, let context): "expected \(type) at \(path(context.codingPath))"
        case DecodingError.valueNotFound(let type, let context): "missing \(type) at \(path(context.codingPath))"
        case DecodingError.keyNotFound(let key, let context):
            "missing key '\(key.stringValue)' at \(path(context.codingPath))"
        case DecodingError.dataCorrupted(let context): "malformed at \(path(context.codingPath))"
        default: "\(type(of: error))"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce("$") { path, key in key.intValue.map { "\(path)[\($0)]" } ?? "\(path).\(key.stringValue)" }
    }
}
