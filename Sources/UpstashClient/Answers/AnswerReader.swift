import HTTPAsking
import NIOCore
import RESP

/// Reads answers: JSON (RFC 8259) whose strings are base64, straight into values.
enum AnswerReader {
    static func answer(_ scanner: inout JSONScanner, hiding token: String) throws -> Answer {
        let answer: Answer
        if scanner.peek() == UInt8(ascii: "[") {
            var values: [RESPValue] = []
            try scanner.list(from: "[", to: "]") { values.append(try entry(&$0, hiding: token)) }
            answer = .many(values)
        } else {
            answer = .one(try entry(&scanner, hiding: token))
        }
        guard scanner.isAtEnd else { throw scanner.malformed }
        return answer
    }

    /// `{"result": …}` or `{"error": "…"}`; an error that is `null` is none.
    private static func entry(_ scanner: inout JSONScanner, hiding token: String) throws -> RESPValue {
        var result: RESPValue?
        var error: RESPValue?
        try scanner.list(from: "{", to: "}") { scanner in
            let name = try scanner.string()
            try scanner.expect(":")
            switch name {
            case "result": result = try value(&scanner, depth: 0)
            case "error" where scanner.peek() == UInt8(ascii: "n"): try scanner.word("null")
            case "error": error = .error(RESPError(oneLine(try scanner.string()).hiding(token)))
            default: try scanner.skip(depth: 0)
            }
        }
        // An error is never taken for less, whatever stands beside it.
        guard let value = error ?? result else { throw scanner.malformed }
        return value
    }

    /// As over TCP, where an error is a line; control characters could forge those of a log.
    private static func oneLine(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
        return String(String.UnicodeScalarView(scalars))
    }

    private static func value(_ scanner: inout JSONScanner, depth: Int) throws -> RESPValue {
        guard depth < JSONScanner.maxDepth else { throw scanner.malformed }
        switch scanner.peek() {
        case UInt8(ascii: "\""):
            return try encodedString(&scanner)
        case UInt8(ascii: "["):
            var values: [RESPValue] = []
            try scanner.list(from: "[", to: "]") { values.append(try value(&$0, depth: depth + 1)) }
            return .array(values)
        case UInt8(ascii: "n"):
            try scanner.word("null")
            return .null
        case UInt8(ascii: "t"):
            try scanner.word("true")
            return .boolean(true)
        case UInt8(ascii: "f"):
            try scanner.word("false")
            return .boolean(false)
        default:
            return try number(&scanner)
        }
    }

    /// All strings are base64 but the status `OK`, which is none: its length is not a multiple of four.
    private static func encodedString(_ scanner: inout JSONScanner) throws -> RESPValue {
        let text = try scanner.rawString()
        if text.elementsEqual("OK".utf8) { return .simpleString("OK") }
        if text.contains(UInt8(ascii: "\\")) {
            let plain = Array(try scanner.unescaped(text).utf8)
            guard let bytes = plain.withUnsafeBytes({ Base64.decode($0) }) else { throw scanner.malformed }
            return .bulkString(bytes)
        }
        guard let bytes = Base64.decode(text) else { throw scanner.malformed }
        return .bulkString(bytes)
    }

    private static func number(_ scanner: inout JSONScanner) throws -> RESPValue {
        let digits = try scanner.number()
        if let integer = Int(digits) { return .integer(integer) }
        let magnitude = digits.utf8.drop { $0 == UInt8(ascii: "-") }
        let isWhole = !magnitude.isEmpty && magnitude.allSatisfy { (0x30...0x39).contains($0) }
        if isWhole, digits.utf8.count - magnitude.count < 2 { return .bigNumber(digits) }
        guard let double = Double(digits) else { throw scanner.malformed }
        return .double(double)
    }
}
