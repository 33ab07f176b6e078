import Freshet
import NIOCore

/// Steps through the bytes of a JSON text.
///
/// Strings without escapes are slices of the text; nothing is copied. Numbers and words stay as they are written.
struct JSONScanner {
    private let text: ByteBuffer
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    /// - Parameter bytes: those of the text, which must outlive the scanner.
    init(_ text: ByteBuffer, _ bytes: UnsafeRawBufferPointer) {
        self.text = text
        self.bytes = bytes
    }

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skip() { position += 1 }

    @inline(__always)
    mutating func skipSpace() {
        // Most texts have none.
        while let byte = next, byte <= 0x20 {
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            position += 1
        }
    }

    /// Steps over what is the same as at an earlier place; false, and nothing else, where it is not.
    mutating func skipRepetition(of place: Range<Int>) -> Bool {
        guard position + place.count <= bytes.count else { return false }
        for offset in 0..<place.count where bytes[position + offset] != bytes[place.lowerBound + offset] {
            return false
        }
        position += place.count
        return true
    }

    func invalid(_ what: String) -> UpstashRefusal { .invalidJSON(what, at: position) }

    private func slice(_ start: Int, _ end: Int) -> ByteBuffer {
        var slice = text
        slice.moveWriterIndex(to: text.readerIndex + end)
        slice.moveReaderIndex(forwardBy: start)
        return slice
    }

    // MARK: Words and numbers

    /// A string, a number or a word.
    mutating func scalar() throws -> ByteBuffer {
        guard let next else { throw invalid("unexpected end") }
        switch next {
        case UInt8(ascii: "\""): return try string()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true")
        case UInt8(ascii: "f"): return try word("false")
        case UInt8(ascii: "n"): return try word("null")
        default: throw invalid("a value is missing")
        }
    }

    private mutating func word(_ word: StaticString) throws -> ByteBuffer {
        let end = position + word.utf8CodeUnitCount
        let expected = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard end <= bytes.count, bytes[position..<end].elementsEqual(expected) else { throw invalid("unknown word") }
        defer { position = end }
        return slice(position, end)
    }

    private mutating func number() throws -> ByteBuffer {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if next == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return slice(start, position)
    }

    private mutating func digits() throws {
        let start = position
        while let digit = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) { position += 1 }
        if position == start { throw invalid("a digit is missing") }
    }

    // MARK: Strings

    /// At the opening quote.
    mutating func string() throws -> ByteBuffer {
        position += 1
        let start = position
        var isASCII = true
        while true {
            position = bytes.firstByteNotPlainInJSON(from: position)
            guard let byte = next else { throw invalid("a string without end") }
            switch byte {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                let slice = slice(start, position)
                return isASCII ? slice : slice.repairedUTF8
            case UInt8(ascii: "\\"): return try escapedString(from: start, isASCII)
            case ..<0x20: throw invalid("a control character in a string")
            default:
                isASCII = false
                position += 1
            }
        }
    }

    /// The rare case; the string has its first escape at the position.
    private mutating func escapedString(from start: Int, _ isASCIIBefore: Bool) throws -> ByteBuffer {
        var isASCII = isASCIIBefore
        let (end, size) = try endOfString()
        var string = ByteBuffer()
        try string.writeWithUnsafeMutableBytes(minimumWritableBytes: position - start + size) { target in
            var written = 0
            func copy(_ places: Range<Int>) {
                UnsafeMutableRawBufferPointer(rebasing: target[written...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[places]))
                written += places.count
            }
            copy(start..<position)
            while position < end {
                switch bytes[position] {
                case UInt8(ascii: "\\"):
                    position += 1
                    for byte in try escape().utf8 {
                        target[written] = byte
                        written += 1
                    }
                case ..<0x20: throw invalid("a control character in a string")
                case 0x80...:
                    isASCII = false
                    copy(position..<(position + 1))
                    position += 1
                default:
                    let plainEnd = bytes.firstByteNotPlainInJSON(from: position)
                    copy(position..<plainEnd)
                    position = plainEnd
                }
            }
            return written
        }
        position = end + 1
        return isASCII ? string : string.repairedUTF8
    }

    /// Where the string ends in which the position is, and how many bytes it has from there on at most.
    private mutating func endOfString() throws -> (end: Int, size: Int) {
        var place = position
        var size = 0
        while true {
            let plainEnd = bytes.firstByteNotPlainInJSON(from: place)
            size += plainEnd - place
            place = plainEnd
            guard place < bytes.count else {
                position = bytes.count
                throw invalid("a string without end")
            }
            switch bytes[place] {
            case UInt8(ascii: "\""): return (place, size)
            case UInt8(ascii: "\\"):
                // No letter takes more bytes than its four digits, which are counted.
                if place + 1 < bytes.count, bytes[place + 1] != UInt8(ascii: "u") { size += 1 }
                place += 2
            default:
                size += 1
                place += 1
            }
        }
    }

    private mutating func escape() throws -> Unicode.Scalar {
        guard let byte = next else { throw invalid("a string without end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default:
            position -= 1
            throw invalid("an unknown escape")
        }
    }

    /// A half of a surrogate pair on its own becomes U+FFFD.
    private mutating func unicodeEscape() throws -> Unicode.Scalar {
        let first = try hexadecimal()
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let before = position
        position += 2
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second) else {
            position = before
            return "\u{FFFD}"
        }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for place in position..<(position + 4) {
            guard place < bytes.count, let digit = bytes[place].hexadecimalDigit else {
                position = place
                throw invalid("an escape without four digits")
            }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }
}

extension UInt8 {
    /// The value of a digit in ASCII; nil for everything else.
    var hexadecimalDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension ByteBuffer {
    /// The same text; what is not UTF-8 becomes U+FFFD.
    fileprivate var repairedUTF8: ByteBuffer {
        if withUnsafeReadableBytes({ String(validating: $0, as: UTF8.self) }) != nil { return self }
        return ByteBuffer(string: String(decoding: readableBytesView, as: UTF8.self))
    }
}
