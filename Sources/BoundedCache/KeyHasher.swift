/// Hashes keys to 32 bits under a seed of the cache's own.
///
/// `String` and integer keys, which are most, take a keyed multiply-and-fold in the manner of wyhash; it costs a
/// quarter of `Hasher`. All else goes through `Hasher`.
@usableFromInline
struct KeyHasher: Sendable {
    @usableFromInline let first: UInt64
    @usableFromInline let second: UInt64

    @usableFromInline
    init() {
        first = .random(in: .min ... .max) | 1
        second = .random(in: .min ... .max) | 1
    }

    @inlinable
    func hash<Key: Hashable>(_ key: Key) -> UInt32 {
        if Key.self == String.self { return hash(unsafeBitCast(key, to: String.self)) }
        if Key.self == Int.self {
            return hash(word: UInt64(bitPattern: Int64(unsafeBitCast(key, to: Int.self))))
        }
        if Key.self == UInt64.self { return hash(word: unsafeBitCast(key, to: UInt64.self)) }
        return hashStrongly(key)
    }

    @inlinable
    func hashStrongly<Key: Hashable>(_ key: Key) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(first)
        hasher.combine(key)
        return fold(UInt64(bitPattern: Int64(hasher.finalize())))
    }

    /// Two rounds, so that no difference of two words survives both.
    @inlinable
    func hash(word: UInt64) -> UInt32 {
        fold(mix(mix(word ^ first, second) ^ second, first ^ 0x9E37_79B9_7F4A_7C15))
    }

    @inlinable
    func hash(_ string: String) -> UInt32 {
        if let hash = string.utf8.withContiguousStorageIfAvailable({ hash(ascii: $0) }), let hash {
            return hash
        }
        return hash(unusual: string)
    }

    /// The hash of all-ASCII text; `nil` for any other, since equal strings may then differ in bytes.
    @inlinable
    func hash(ascii bytes: UnsafeBufferPointer<UInt8>) -> UInt32? {
        let count = bytes.count
        guard let start = UnsafeRawPointer(bytes.baseAddress), count > 0 else { return fold(first) }
        var state = first ^ UInt64(truncatingIfNeeded: count)
        var low: UInt64
        var high: UInt64
        var seen: UInt64 = 0
        if count >= 8 {
            var offset = 0
            while count - offset > 16 {
                low = start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                high = start.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
                seen |= low | high
                state = mix(low ^ state, high ^ second)
                offset += 16
            }
            low = start.loadUnaligned(fromByteOffset: count >= 16 ? count - 16 : 0, as: UInt64.self)
            high = start.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        } else if count >= 4 {
            low = UInt64(start.loadUnaligned(as: UInt32.self))
            high = UInt64(start.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
        } else {
            low = UInt64(bytes[0]) << 16 | UInt64(bytes[count >> 1]) << 8 | UInt64(bytes[count - 1])
            high = 0
        }
        seen |= low | high
        guard seen & 0x8080_8080_8080_8080 == 0 else { return nil }
        return fold(mix(mix(low ^ state, high ^ second) ^ first, second))
    }

    /// Text that is not all ASCII, or not in one piece. It may still equal ASCII text: three characters have a
    /// canonical form in ASCII.
    @usableFromInline
    func hash(unusual string: String) -> UInt32 {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(string.utf8.count)
        for scalar in string.unicodeScalars {
            switch scalar.value {
            case 0..<0x80: bytes.append(UInt8(scalar.value))
            case 0x037E: bytes.append(0x3B)
            case 0x1FEF: bytes.append(0x60)
            case 0x212A: bytes.append(0x4B)
            default: return hashStrongly(string)
            }
        }
        return bytes.withUnsafeBufferPointer { hash(ascii: $0) } ?? hashStrongly(string)
    }

    @inlinable
    func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    @inlinable
    func fold(_ hash: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: hash ^ (hash &>> 32))
    }
}
