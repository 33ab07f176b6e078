extension String {
    /// Whether more than 100 marks follow one another: hashing takes a time that is quadratic in them. Text for streams has 30
    /// at most (Unicode Standard Annex 15).
    var hasTooManyMarks: Bool {
        var marks = 0
        for scalar in unicodeScalars where !scalar.isASCII || marks > 0 {
            marks = scalar.properties.canonicalCombiningClass == .notReordered ? 0 : marks + 1
            if marks > 100 { return true }
        }
        return false
    }
}

extension JSONReader {
    /// Of a member. Its quotation mark has been read.
    mutating func name() throws(Fault) -> String {
        let name = try string()
        guard !name.hasTooManyMarks else { throw fault("a name with more than 100 marks in a row") }
        return name
    }

    /// Its quotation mark has been read.
    mutating func string() throws(Fault) -> String {
        let start = place
        var isASCII = true
        while true {
            place = text.firstByteNotPlainInJSON(from: place)
            guard place < text.count else { throw malformed() }
            switch text[place] {
            case UInt8(ascii: "\""):
                place += 1
                return isChecking && isASCII
                    ? "" : try string(UnsafeRawBufferPointer(rebasing: text[start..<(place - 1)]))
            case UInt8(ascii: "\\"): return try escapedString(Array(text[start..<place]))
            case 0x80...: isASCII = false
            default: throw malformed()
            }
            place += 1
        }
    }

    private func string(_ bytes: some Collection<UInt8>) throws(Fault) -> String {
        guard let string = String(validating: bytes, as: UTF8.self) else { throw malformed() }
        return string
    }

    private mutating func escapedString(_ beginning: [UInt8]) throws(Fault) -> String {
        var bytes = beginning
        while true {
            let plain = place
            place = text.firstByteNotPlainInJSON(from: place)
            bytes += text[plain..<place]
            guard place < text.count else { throw malformed() }
            switch text[place] {
            case UInt8(ascii: "\""):
                place += 1
                return try string(bytes)
            case UInt8(ascii: "\\"): bytes += try escape().utf8
            case 0x80...:
                bytes.append(text[place])
                place += 1
            default: throw malformed()
            }
        }
    }

    private mutating func escape() throws(Fault) -> Character {
        guard place + 1 < text.count else {
            place = text.count
            throw malformed()
        }
        let character: Character? =
            switch text[place + 1] {
            case UInt8(ascii: "\""): "\""
            case UInt8(ascii: "\\"): "\\"
            case UInt8(ascii: "/"): "/"
            case UInt8(ascii: "b"): "\u{8}"
            case UInt8(ascii: "f"): "\u{C}"
            case UInt8(ascii: "n"): "\n"
            case UInt8(ascii: "r"): "\r"
            case UInt8(ascii: "t"): "\t"
            default: nil
            }
        if let character {
            place += 2
            return character
        }
        guard let escape = text.escapedScalar(at: place) else {
            let digits = text[min(place + 2, text.count)...]
            if text[place + 1] == UInt8(ascii: "u"), digits.count < 4, digits.allSatisfy({ $0.isHexDigit }) {
                place = text.count
            }
            throw malformed()
        }
        guard let scalar = escape.scalar ?? (mendsHalves ? "\u{FFFD}" : nil) else { throw malformed() }
        place += escape.count
        return Character(scalar)
    }
}
