import NIOCore

extension ByteBuffer {
    /// JSON text with U+FFFD for every escape that is half of a surrogate pair; nil where there is none.
    ///
    /// JavaScript writes them of a text that was cut within an emoji, and reads them; JSON leaves open what they are
    /// (RFC 8259, section 8.2).
    var replacingSurrogateHalves: ByteBuffer? {
        var bytes = Array(readableBytesView)
        var hasHalves = false
        var place = 0
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "\\") else {
                place += 1
                continue
            }
            guard let unit = Self.unit(at: place, of: bytes) else {
                place += 2
                continue
            }
            if UTF16.isLeadSurrogate(unit), Self.unit(at: place + 6, of: bytes).map(UTF16.isTrailSurrogate) ?? false {
                place += 12
                continue
            }
            if (0xD800..<0xE000).contains(unit) {
                bytes.replaceSubrange(place..<(place + 6), with: #"\ufffd"#.utf8)
                hasHalves = true
            }
            place += 6
        }
        return hasHalves ? ByteBuffer(bytes: bytes) : nil
    }

    /// What an escape of four digits stands for; nil where there is none.
    private static func unit(at place: Int, of bytes: [UInt8]) -> UInt16? {
        guard place + 6 <= bytes.count, bytes[place..<(place + 2)].elementsEqual(#"\u"#.utf8) else { return nil }
        return UInt16(String(decoding: bytes[(place + 2)..<(place + 6)], as: UTF8.self), radix: 16)
    }
}
