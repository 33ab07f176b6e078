import NIOCore

/// RFC 4648, section 4, strictly: the whole alphabet and nothing else, padded.
enum Base64 {
    private static let invalid: UInt8 = 0xFF

    private static let values: [UInt8] = {
        var values = [UInt8](repeating: invalid, count: 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, letter) in alphabet.utf8.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()

    /// - Returns: `nil` for what is not base64. The cost is linear; nothing but the result is allocated.
    static func decode(_ text: UnsafeRawBufferPointer) -> ByteBuffer? {
        guard !text.isEmpty else { return ByteBuffer() }
        guard text.count.isMultiple(of: 4) else { return nil }
        let padding = text[text.count - 1] != UInt8(ascii: "=") ? 0 : text[text.count - 2] != UInt8(ascii: "=") ? 1 : 2
        let size = text.count / 4 * 3 - padding
        var isValid = true
        var buffer = ByteBuffer()
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            isValid = values.withUnsafeBufferPointer { decode(text, padding: padding, to: target, with: $0) }
            return isValid ? size : 0
        }
        return isValid ? buffer : nil
    }

    private static func decode(
        _ text: UnsafeRawBufferPointer,
        padding: Int,
        to target: UnsafeMutableRawBufferPointer,
        with values: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        let whole = text.count / 4 - (padding > 0 ? 1 : 0)
        var output = 0
        // A letter that is none has its high bits set, and so has what it is combined with.
        var seen: UInt8 = 0
        for group in 0..<whole {
            let (a, b) = (values[Int(text[group * 4])], values[Int(text[group * 4 + 1])])
            let (c, d) = (values[Int(text[group * 4 + 2])], values[Int(text[group * 4 + 3])])
            seen |= a | b | c | d
            target[output] = a << 2 | b >> 4
            target[output + 1] = b << 4 | c >> 2
            target[output + 2] = c << 6 | d
            output += 3
        }
        if padding > 0 {
            let (a, b) = (values[Int(text[whole * 4])], values[Int(text[whole * 4 + 1])])
            let c = padding == 1 ? values[Int(text[whole * 4 + 2])] : 0
            seen |= a | b | c
            target[output] = a << 2 | b >> 4
            if padding == 1 { target[output + 1] = b << 4 | c >> 2 }
        }
        return seen & 0xC0 == 0
    }
}
