/// Bytes that are not RESP, or more than the limits allow.
public struct RESPDecodingError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Not RESP.
        case malformed
        /// A string, line or aggregate longer than allowed.
        case tooLong
        /// Aggregates nested deeper than allowed.
        case tooDeep
    }

    public let code: Code

    init(_ code: Code) {
        self.code = code
    }

    public var description: String {
        switch code {
        case .malformed: "The bytes received are not RESP."
        case .tooLong: "The value received is longer than allowed."
        case .tooDeep: "The value received is nested deeper than allowed."
        }
    }
}
