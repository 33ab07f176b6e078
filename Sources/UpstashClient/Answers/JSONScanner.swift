/// Takes the tokens of JSON text one after the other.
struct JSONScanner {
    /// Deeper than any reply is.
    static let maxDepth = 128

    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var malformed: Answer.Malformed { Answer.Malformed(offset: index) }

    /// The first byte of the next token; 0 at the end.
    mutating func peek() -> UInt8 {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            case let byte: return byte
            }
        }
        return 0
    }

    var isAtEnd: Bool {
        mutating get { peek() == 0 && index == bytes.count }
    }

    mutating func expect(_ byte: Unicode.Scalar) throws {
        guard peek() == UInt8(ascii: byte) else { throw malformed }
        index += 1
    }

    mutating func word(_ word: StaticString) throws {
        let end = index + word.utf8CodeUnitCount
        guard end <= bytes.count else { throw malformed }
        for offset in 0..<word.utf8CodeUnitCount where bytes[index + offset] != word.utf8Start[offset] {
            throw malformed
        }
        index = end
    }

    /// Elements with commas between them.
    mutating func list(
        from open: Unicode.Scalar,
        to close: Unicode.Scalar,
        _ element: (inout JSONScanner) throws -> Void
    ) throws {
        try expect(open)
        if peek() == UInt8(ascii: close) { return index += 1 }
        while true {
            try element(&self)
            if peek() == UInt8(ascii: close) { return index += 1 }
            try expect(",")
        }
    }

    /// A string as it stands between its quotes.
    mutating func rawString() throws -> UnsafeRawBufferPointer {
        try expect("\"")
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return UnsafeRawBufferPointer(rebasing: bytes[start..<index - 1])
            case UInt8(ascii: "\\"): index += 2
            case 0..<0x20: throw malformed
            default: index += 1
            }
        }
        index = bytes.count
        throw malformed
    }

    mutating func string() throws -> String {
        let raw = try rawString()
        return raw.contains(UInt8(ascii: "\\")) ? try unescaped(raw) : String(decoding: raw, as: UTF8.self)
    }

    /// Replaces the escapes of a raw string.
    func unescaped(_ raw: UnsafeRawBufferPointer) throws -> String {
        var units: [UInt16] = []
        var text = String(decoding: raw, as: UTF8.self).utf16.makeIterator()
        while let unit = text.next() {
            guard unit == 0x5C else {
                units.append(unit)
                continue
            }
            switch text.next().flatMap(Unicode.Scalar.init) {
            case "n": units.append(0x0A)
            case "t": units.append(0x09)
            case "r": units.append(0x0D)
            case "b": units.append(0x08)
            case "f": units.append(0x0C)
            case let same? where "\"\\/".unicodeScalars.contains(same): units.append(UInt16(same.value))
            case "u":
                let digits = (0..<4).compactMap { _ in text.next().flatMap(Unicode.Scalar.init) }
                guard digits.count == 4, digits.allSatisfy(\.properties.isASCIIHexDigit),
                    let code = UInt16(String(String.UnicodeScalarView(digits)), radix: 16)
                else { throw malformed }
                units.append(code)
            default: throw malformed
            }
        }
        return String(decoding: units, as: UTF16.self)
    }

    mutating func number() throws -> String {
        _ = peek()
        let start = index
        while index < bytes.count, Self.isOfNumber(bytes[index]) { index += 1 }
        guard start < index else { throw malformed }
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<index]), as: UTF8.self)
    }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    /// Passes over a value of any kind.
    mutating func skip(depth: Int) throws {
        guard depth < Self.maxDepth else { throw malformed }
        switch peek() {
        case UInt8(ascii: "\""): _ = try rawString()
        case UInt8(ascii: "["): try list(from: "[", to: "]") { try $0.skip(depth: depth + 1) }
        case UInt8(ascii: "{"):
            try list(from: "{", to: "}") { scanner in
                _ = try scanner.rawString()
                try scanner.expect(":")
                try scanner.skip(depth: depth + 1)
            }
        case UInt8(ascii: "n"): try word("null")
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        default: _ = try number()
        }
    }
}
