import NIOCore

extension ByteBuffer {
    /// Appends bytes in base64 (RFC 4648, section 4), in quotes.
    mutating func writeBase64String(_ data: ByteBuffer) {
        writeInteger(UInt8(ascii: "\""))
        data.withUnsafeReadableBytes { source in
            _ = writeWithUnsafeMutableBytes(minimumWritableBytes: source.base64Count) { target in
                if let start = target.baseAddress { source.encodeBase64(to: start) }
                return source.base64Count
            }
        }
        writeInteger(UInt8(ascii: "\""))
    }
}

extension UnsafeRawBufferPointer {
    /// How many bytes it has in base64.
    var base64Count: Int { (count + 2) / 3 * 4 }

    /// Writes so many.
    func encodeBase64(to target: UnsafeMutableRawPointer) {
        base64Pairs.withUnsafeBufferPointer { pairs in
            var (next, place) = (target, 0)
            func put(_ group: UInt32) {
                let letters = UInt32(pairs[Int(group >> 12)]) | UInt32(pairs[Int(group & 0xFFF)]) << 16
                next.storeBytes(of: letters.littleEndian, as: UInt32.self)
                next += 4
            }
            while count - place >= 4 {
                put(loadUnaligned(fromByteOffset: place, as: UInt32.self).bigEndian >> 8)
                place += 3
            }
            if place == count { return }
            var group: UInt32 = 0
            for offset in 0..<3 { group = group << 8 | (place + offset < count ? UInt32(self[place + offset]) : 0) }
            put(group)
            for missing in 0..<(place + 3 - count) {
                (next - 1 - missing).storeBytes(of: UInt8(ascii: "="), as: UInt8.self)
            }
        }
    }
}

/// Two letters for twelve bits, the first one in the lower byte.
private let base64Pairs: [UInt16] = {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.map { UInt16($0) }
    return letters.flatMap { first in letters.map { first | $0 << 8 } }
}()
