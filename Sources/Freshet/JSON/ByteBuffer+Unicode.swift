import Foundation
import NIOCore

extension ByteBuffer {
    /// JSON text in UTF-8 without a byte order mark; as it is where it is in no form of Unicode.
    var inUTF8: ByteBuffer {
        guard let (encoding, unit) = Self.encoding(Array(readableBytesView.prefix(4))), readableBytes % unit == 0,
            let text = String(bytes: readableBytesView, encoding: encoding)
        else { return self }
        return ByteBuffer(substring: Substring(text.unicodeScalars.drop { $0 == "\u{FEFF}" }))
    }

    /// Told by the mark, or by the zeros of JSON's first character, which is ASCII (RFC 4627, section 3); with the bytes of
    /// a unit.
    private static func encoding(_ start: [UInt8]) -> (String.Encoding, unit: Int)? {
        let zeros = start.map { $0 == 0 }
        if start.starts(with: [0xEF, 0xBB, 0xBF]) { return (.utf8, 1) }
        if start == [0, 0, 0xFE, 0xFF] || zeros == [true, true, true, false] { return (.utf32BigEndian, 4) }
        if start == [0xFF, 0xFE, 0, 0] || zeros == [false, true, true, true] { return (.utf32LittleEndian, 4) }
        if start.starts(with: [0xFE, 0xFF]) || zeros.starts(with: [true, false]) { return (.utf16BigEndian, 2) }
        if start.starts(with: [0xFF, 0xFE]) || zeros.starts(with: [false, true]) { return (.utf16LittleEndian, 2) }
        return nil
    }
}
