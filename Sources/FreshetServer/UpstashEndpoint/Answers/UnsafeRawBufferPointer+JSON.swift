extension UnsafeRawBufferPointer {
    /// Where the first byte is that does not stand for itself in a string of JSON, or is no ASCII; `count` if there is
    /// none.
    ///
    /// Looks at eight bytes at a time; source: Sean Eron Anderson, "Bit Twiddling Hacks", words with a byte less than
    /// n.
    func firstByteNotPlainInJSON(from start: Int) -> Int {
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

    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
}
