import Foundation
public import NIOCore
import NIOFoundationCompat

/// The JSON that is stored: the same value always gives the same bytes, and any other program can read them.
///
/// Keys are sorted, slashes are not escaped, dates are ISO 8601 in whole seconds, so that fractions are lost, and numbers
/// and dates that it cannot express are an error. Only sets, and dictionaries with keys other than strings, integers and
/// `CodingKeyRepresentable`, are arrays in an order of the process' own: give fields sorted arrays instead. What is nested more
/// than 512 levels deep, or a ``JSONValue`` within another type more than 100, or has a name with more than 100 combining marks
/// in a row, is an error both ways.
public enum StoredJSON {
    /// - Throws: `CacheError` with `invalidValue`.
    public static func encode<Value: Encodable>(_ value: Value) throws -> ByteBuffer {
        func failure(_ reason: String, _ cause: any Error) -> CacheError {
            CacheError(.invalidValue, "a \(Value.self) has no JSON form: \(reason)", underlying: cause)
        }
        if Value.self == JSONValue.self, let value = value as? JSONValue {
            var writer = JSONWriter()
            do {
                try writer.write(value)
                return writer.bytes
            } catch {
                throw failure(error.reason, error)
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom(encode)
        let bytes: ByteBuffer
        do {
            bytes = try encoder.encodeAsByteBuffer(value, allocator: ByteBufferAllocator())
        } catch {
            throw failure(summary(of: error), error)
        }
        do {
            // Foundation writes a `Decimal` that is no number.
            try bytes.withUnsafeReadableBytes(JSONReader.check)
            return bytes
        } catch {
            let hint = error.reason.hasPrefix("malformed") ? " (a Decimal that is no number?)" : ""
            throw failure("its JSON cannot be read: \(error.reason)\(hint)", error)
        }
    }

    /// The instants that are read as they are written, from the year 0 on.
    private static let dates = Date(timeIntervalSince1970: -62_167_219_200)..<Date(timeIntervalSince1970: 15_928e9)

    /// As `.iso8601` has it, which writes another date for what is none.
    private static func encode(_ date: Date, to encoder: any Encoder) throws {
        guard dates.contains(date) else {
            let context = EncodingError.Context(codingPath: encoder.codingPath, debugDescription: "no date of ISO 8601")
            throw EncodingError.invalidValue(date.timeIntervalSince1970, context)
        }
        var container = encoder.singleValueContainer()
        try container.encode(date.formatted(.iso8601))
    }

    /// Of members with the same name the first counts.
    ///
    /// - Parameter inAnyUnicode: also take UTF-16, UTF-32, a byte order mark, and halves of surrogate pairs, which become
    ///   U+FFFD.
    /// - Throws: `CacheError` with `invalidValue`; its message names the type and the path in the document, never the
    ///   value.
    public static func decode<Value: Decodable>(
        _ type: Value.Type,
        from bytes: ByteBuffer,
        inAnyUnicode: Bool = false
    ) throws -> Value {
        func failure(_ reason: String, _ cause: any Error) -> CacheError {
            // Readers of fields see it, who know no types.
            let name = type == JSONValue.self ? "JSON" : "\(type)"
            return CacheError(.invalidValue, "the bytes are no \(name): \(reason)", underlying: cause)
        }
        let text = inAnyUnicode ? bytes.inUTF8 : bytes
        do {
            if type == JSONValue.self {
                let value = try text.withUnsafeReadableBytes { text throws(JSONReader.Fault) in
                    try JSONReader.read(text, mendsHalves: inAnyUnicode)
                }
                if let value = value as? Value { return value }
            }
            // Foundation's decoder takes commas before brackets, and does not look into members that the type does not read.
            try text.withUnsafeReadableBytes(JSONReader.check)
        } catch {
            throw failure(error.reason, error)
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do {
            return try decoder.decode(type, from: text)
        } catch {
            if inAnyUnicode, let mended = text.replacingSurrogateHalves { return try decode(type, from: mended) }
            throw failure(summary(of: error), error)
        }
    }

    private static func summary(of error: any Error) -> String {
        switch error {
        case EncodingError.invalidValue(_, let context) where context.underlyingError is JSONValue.NestedTooDeeply:
            "nested too deeply at \(path(context.codingPath))"
        case DecodingError.dataCorrupted(let context) where context.underlyingError is JSONValue.NestedTooDeeply:
            "nested too deeply at \(path(context.codingPath))"
        case EncodingError.invalidValue(_, let context): "no valid JSON value at \(path(context.codingPath))"
        case DecodingError.typeMismatch(let type, let context): "expected \(type) at \(path(context.codingPath))"
        case DecodingError.valueNotFound(let type, let context): "missing \(type) at \(path(context.codingPath))"
        case DecodingError.keyNotFound(let key, let context):
            "missing key '\(key.stringValue.printable(50))' at \(path(context.codingPath))"
        case DecodingError.dataCorrupted(let context) where context.underlyingError is JSONValue.UnreadableNumber:
            "a number out of range at \(path(context.codingPath))"
        case DecodingError.dataCorrupted(let context): "malformed at \(path(context.codingPath))"
        default: "\(type(of: error))"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> JSONPath {
        JSONPath(steps: keys.map { $0.intValue.map(JSONPath.Step.index) ?? .name($0.stringValue) })
    }
}
