import NIOCore
import RESP

/// The slot of a key in a cluster: CRC16 of the key, or of its hash tag, modulo 16,384.
///
/// Source: the Redis cluster specification, "Key distribution model"; the checksum is CRC-16/XMODEM.
enum HashSlot {
    static let count = 16_384

    static func of(_ key: RESPArgument) -> Int {
        switch key {
        case .string(var text): text.withUTF8 { of(UnsafeRawBufferPointer($0)) }
        case .bytes(let buffer): buffer.withUnsafeReadableBytes { of($0) }
        case .integer(let number): of(.string(String(number)))
        }
    }

    private static func of(_ key: UnsafeRawBufferPointer) -> Int {
        var checksum: UInt16 = 0
        for byte in tag(of: key) {
            checksum = checksum << 8 ^ table[Int(UInt8(checksum >> 8) ^ byte)]
        }
        return Int(checksum) & (count - 1)
    }

    /// What stands between the first `{` and the first `}` after it, unless that is nothing; else the whole key.
    private static func tag(of key: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")) else { return key[...] }
        let rest = key[(open + 1)...]
        guard let close = rest.firstIndex(of: UInt8(ascii: "}")), close > rest.startIndex else { return key[...] }
        return rest[..<close]
    }

    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte) << 8) { value, _ in value & 0x8000 == 0 ? value << 1 : value << 1 ^ 0x1021 }
    }
}
