import NIOCore

extension ByteBuffer {
    /// Appends bytes in base64 (RFC 4648, section 4), in quotes.
    mutating func writeBase64String(_ data: ByteBuffer) {
        writeInteger(UInt8(ascii: "\""))
        data.withUnsafeReadableBytes { source in
            _ = writeWithUnsafeMutableBytes(minimumWritableBytes: (source.count + 2) / 3 * 4) { target in
                Self.encode(source, target)
            }
        }
        writeInteger(UInt8(ascii: "\""))
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static func encode(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer) -> Int {
        alphabet.withUnsafeBufferPointer { alphabet in
            var written = 0
            for start in stride(from: 0, to: source.count, by: 3) {
                let left = source.count - start
                let second = left > 1 ? source[start + 1] : 0
                let third = left > 2 ? source[start + 2] : 0
                let group = Int(source[start]) << 16 | Int(second) << 8 | Int(third)
                target[written] = alphabet[group >> 18]
                target[written + 1] = alphabet[group >> 12 & 63]
                target[written + 2] = left > 1 ? alphabet[group >> 6 & 63] : UInt8(ascii: "=")
                target[written + 3] = left > 2 ? alphabet[group & 63] : UInt8(ascii: "=")
                written += 4
            }
            return written
        }
    }
}
