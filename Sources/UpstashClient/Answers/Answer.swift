import NIOCore
import RESP

/// What the body of an answer says.
enum Answer: Hashable {
    /// `{"result": …}` or `{"error": …}`; the latter is a value too.
    case one(RESPValue)
    /// A list of these.
    case many([RESPValue])

    /// - Parameter token: what errors are not to repeat.
    /// - Throws: ``Malformed`` for what is no answer of the service.
    init(_ body: ByteBuffer, hiding token: String) throws {
        self = try body.withUnsafeReadableBytes { bytes in
            var scanner = JSONScanner(bytes)
            return try AnswerReader.answer(&scanner, hiding: token)
        }
    }

    struct Malformed: Error, CustomStringConvertible {
        /// Where, in bytes.
        let offset: Int
        var description: String { "not an answer of the service from byte \(offset) on" }
    }
}
