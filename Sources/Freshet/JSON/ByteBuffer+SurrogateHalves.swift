import NIOCore

extension ByteBuffer {
    /// JSON text with U+FFFD for every escape that is half of a surrogate pair; nil where there is none.
    var replacingSurrogateHalves: ByteBuffer? {
        withUnsafeReadableBytes { text in
            var mended = ByteBuffer()
            var (start, place) = (0, 0)
            while place < text.count {
                guard text[place] == UInt8(ascii: "\\") else {
                    place += 1
                    continue
                }
                let escape = text.escapedScalar(at: place)
                if let escape, escape.scalar == nil {
                    mended.writeBytes(text[start..<place])
                    mended.writeString(#"\ufffd"#)
                    start = place + escape.count
                }
                place += escape?.count ?? 2
            }
            guard start > 0 else { return nil }
            mended.writeBytes(text[start...])
            return mended
        }
    }
}
