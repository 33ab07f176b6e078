/// Any JSON value. Integers that fit keep their exact value; every other number is a `Double`.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

extension JSONValue {
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    public var object: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }

    /// The member of an object; nil for every other value.
    public subscript(_ name: String) -> JSONValue? { object?[name] }
}

/// For values within other types, and for other coders; ``StoredJSON`` reads and writes a `JSONValue` itself, in one pass.
extension JSONValue: Codable {
    /// Coders call themselves for each level, and a thread's stack may be small.
    private static let maxDepth = 100

    /// - Throws: `DecodingError`; also for what is nested more than a hundred levels deep.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try Self.ifOfType({ try container.decode(String.self) }) {
            self = .string(value)
        } else if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try Self.ifOfType({ try Self.number(container) }) {
            self = .number(value)
        } else if let value = try Self.ifOfType({ try container.decode(Bool.self) }) {
            self = .bool(value)
        } else if decoder.codingPath.count > Self.maxDepth {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath,
                    debugDescription: "Nested too deeply.",
                    underlyingError: NestedTooDeeply()
                )
            )
        } else if let value = try Self.ifOfType({ try container.decode([String: JSONValue].self) }) {
            self = .object(value)
        } else {
            self = .array(try container.decode([JSONValue].self))
        }
    }

    /// A number that is out of range, or written as none is.
    struct UnreadableNumber: Error {}

    struct NestedTooDeeply: Error {}

    private static func number(_ container: any SingleValueDecodingContainer) throws -> Double {
        do {
            return try container.decode(Double.self)
        } catch let error where !isOfOtherType(error) {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: container.codingPath,
                    debugDescription: "A number cannot be read.",
                    underlyingError: UnreadableNumber()
                )
            )
        }
    }

    /// Nil for a value of another type. One of the type that cannot be read is an error, or it would be taken for what
    /// is tried last.
    private static func ifOfType<Value>(_ read: () throws -> Value) throws -> Value? {
        do {
            return try read()
        } catch let error where isOfOtherType(error) {
            return nil
        }
    }

    private static func isOfOtherType(_ error: any Error) -> Bool {
        switch error {
        case DecodingError.typeMismatch, DecodingError.valueNotFound: true
        default: false
        }
    }

    /// - Throws: `EncodingError`; also for what is nested more than a hundred levels deep.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array, .object:
            guard encoder.codingPath.count <= Self.maxDepth else {
                throw EncodingError.invalidValue(
                    self,
                    EncodingError.Context(
                        codingPath: encoder.codingPath,
                        debugDescription: "Nested too deeply.",
                        underlyingError: NestedTooDeeply()
                    )
                )
            }
            if let object { try container.encode(object) } else { try container.encode(array) }
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}
