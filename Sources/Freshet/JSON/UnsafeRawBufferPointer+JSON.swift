extension UnsafeRawBufferPointer {
    /// Where the first byte is that does not stand for itself in a string of JSON, or is no ASCII; `count` if there is
    /// none.
    ///
    /// Looks at eight bytes at a time; source: Sean Eron Anderson, "Bit Twiddling Hacks", words with a byte less than
    /// n.
    @inlinable
    package func firstByteNotPlainInJSON(from start: Int) -> Int {
        var position = start
        while position + 8 <= count {
            let word = UInt64(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quote = word ^ (Self.ones &* 0x22)
            let backslash = word ^ (Self.ones &* 0x5C)
            let special =
                ((word &- (Self.ones &* 0x20)) & ~word) | ((quote &- Self.ones) & ~quote)
                | ((backslash &- Self.ones) & ~backslash) | word
            let marks = special & (Self.ones &* 0x80)
            // The lowest mark is never a false one.
            if marks != 0 { return position + marks.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < count {
            let byte = self[position]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C || byte >= 0x80 { break }
            position += 1
        }
        return position
    }

    @inlinable
    package static var ones: UInt64 { 0x0101_0101_0101_0101 }

    /// What an escape of four digits, or two that are a surrogate pair, stand for, and how long they are; no scalar for half
    /// of a pair.
    ///
    /// JavaScript writes halves of a text that was cut within an emoji, and reads them; JSON leaves open what they are (RFC
    /// 8259, section 8.2).
    func escapedScalar(at place: Int) -> (scalar: Unicode.Scalar?, count: Int)? {
        guard let unit = escapedUnit(at: place) else { return nil }
        if UTF16.isLeadSurrogate(unit), let second = escapedUnit(at: place + 6), UTF16.isTrailSurrogate(second) {
            return (UTF16.decode(UTF16.EncodedScalar([unit, second])), 12)
        }
        return (Unicode.Scalar(unit), 6)
    }

    private func escapedUnit(at place: Int) -> UInt16? {
        guard place + 6 <= count, self[place] == UInt8(ascii: "\\"), self[place + 1] == UInt8(ascii: "u") else {
            return nil
        }
        let digits = self[(place + 2)..<(place + 6)]
        guard digits.allSatisfy(\.isHexDigit) else { return nil }
        return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}

extension UInt8 {
    var isHexDigit: Bool { Character(Unicode.Scalar(self)).hexDigitValue != nil && self < 0x80 }
}
