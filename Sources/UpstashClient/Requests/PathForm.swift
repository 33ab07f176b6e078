import NIOCore
import RESP

/// A command as a path, with one argument as the body: the one way in which bytes that are not UTF-8 can be sent.
///
/// `SET photo <bytes> PX 1000 NX` is `POST /SET/photo?PX=1000&NX` with the bytes as body. Source: Upstash's
/// documentation of the REST API, "JSON or Binary Value".
struct PathForm {
    /// Path and query.
    let target: String
    let body: ByteBuffer

    /// - Throws: ``UpstashError`` with ``UpstashError/Code/unsupportedCommand`` for what this form cannot say.
    init(_ command: RESPCommand) throws(UpstashError) {
        let arguments = command.arguments
        let binary = arguments.indices.filter { arguments[$0].string == nil }
        guard binary.count == 1 else {
            throw Self.refusal(command, "more than one argument is not UTF-8, and a request over REST takes one")
        }
        var target = "/" + Self.encoded(command.name)
        for argument in arguments[..<binary[0]] {
            guard let text = argument.string, !text.isEmpty else {
                throw Self.refusal(command, "an empty argument stands before one that is not UTF-8")
            }
            target += "/" + Self.encoded(text)
        }
        let options = arguments[(binary[0] + 1)...].compactMap(\.string)
        guard !options.contains("") else {
            throw Self.refusal(command, "an empty argument stands behind one that is not UTF-8")
        }
        guard !options.contains("_token") else {
            throw Self.refusal(command, "the service would take the argument _token for its own")
        }
        self.target = target + Self.query(options)
        body = arguments[binary[0]].bytes
    }

    /// Options with a number are `name=number`; the service puts the parts behind the body in this order.
    private static func query(_ options: [String]) -> String {
        var query = ""
        var canTakeValue = false
        for option in options {
            let isValue = canTakeValue && Int(option) != nil
            query += isValue ? "=" : query.isEmpty ? "?" : "&"
            query += encoded(option)
            canTakeValue = !isValue
        }
        return query
    }

    static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }

    private static func refusal(_ command: RESPCommand, _ reason: String) -> UpstashError {
        UpstashError(.unsupportedCommand, "\(command.name) cannot be sent over REST: \(reason).")
    }
}
