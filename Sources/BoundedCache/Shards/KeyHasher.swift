/// Hashes keys to 32 bits under a seed of the cache's own.
///
/// `String` and integer keys, which are most, take a keyed multiply-and-fold in the manner of wyhash; it costs a
/// quarter of `Hasher`. All else goes through `Hasher`.
///
/// Strings of up to 15 bytes are hashed out of the two words that hold them; to ask them for their bytes costs a
/// detour over memory that is longer than the hash.
@usableFromInline
struct KeyHasher: Sendable {
    @usableFromInline let first: UInt64
    @usableFromInline let second: UInt64
    @usableFromInline let readsShortStrings = ShortString.isLayoutOfString

    @usableFromInline
    init() {
        first = .random(in: .min ... .max) | 1
        second = .random(in: .min ... .max) | 1
    }

    @inlinable
    func hash<Key: Hashable>(_ key: Key) -> UInt32 {
        if Key.self == String.self { return hash(unsafeBitCast(key, to: String.self)) }
        if Key.self == ExactKey.self { return hash(unsafeBitCast(key, to: ExactKey.self)) }
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
    func hash(_ string: String) -> UInt32 { hash(ascii: string) ?? hash(unusual: string) }

    /// Of spellings that are equal as strings there may be any number, each of which is another key.
    @inlinable
    func hash(_ key: ExactKey) -> UInt32 { hash(ascii: key.text) ?? hash(unusual: key) }

    @inlinable
    @inline(__always)
    func hash(ascii string: String) -> UInt32? {
        if readsShortStrings {
            let words = unsafeBitCast(string, to: ShortString.self)
            if words.isASCII { return hash(words.low, words.high, first ^ words.count) }
        }
        return string.utf8.withContiguousStorageIfAvailable { hash(ascii: $0) } ?? nil
    }

    /// The hash of all-ASCII text; `nil` for any other, since equal strings may then differ in bytes.
    @inlinable
    func hash(ascii bytes: UnsafeBufferPointer<UInt8>) -> UInt32? {
        let count = bytes.count
        var state = first ^ UInt64(truncatingIfNeeded: count)
        guard count > 0, let start = UnsafeRawPointer(bytes.baseAddress) else { return hash(0, 0, state) }
        var low: UInt64
        var high: UInt64 = 0
        var seen: UInt64 = 0
        if count >= 16 {
            var offset = 0
            while count &- offset > 16 {
                low = start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                high = start.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
                seen |= low | high
                state = mix(low ^ state, high ^ second)
                offset &+= 16
            }
            low = start.loadUnaligned(fromByteOffset: count &- 16, as: UInt64.self)
            high = start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        } else if count >= 8 {
            // From here on as the two words that the text fills the beginning of.
            low = start.loadUnaligned(as: UInt64.self)
            high = start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self) >> (8 &* (16 &- count))
        } else if count >= 4 {
            low = UInt64(start.loadUnaligned(as: UInt32.self))
            low |= UInt64(start.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)) << (8 &* (count &- 4))
        } else {
            low = UInt64(bytes[0]) | UInt64(bytes[count &>> 1]) << (8 &* (count &>> 1))
            low |= UInt64(bytes[count &- 1]) << (8 &* (count &- 1))
        }
        seen |= low | high
        guard seen & 0x8080_8080_8080_8080 == 0 else { return nil }
        return hash(low, high, state)
    }

    @inlinable
    func hash(_ low: UInt64, _ high: UInt64, _ state: UInt64) -> UInt32 {
        fold(mix(mix(low ^ state, high ^ second) ^ first, second))
    }

    /// Text that is not all ASCII, or not in one piece. It may still equal ASCII text: three characters have a
    /// canonical form in ASCII.
    @usableFromInline
    func hash(unusual string: String) -> UInt32 {
        guard string.unicodeScalars.allSatisfy({ $0.canonicalASCII != nil }) else { return hashStrongly(string) }
        let bytes = string.unicodeScalars.compactMap(\.canonicalASCII)
        return bytes.withUnsafeBufferPointer { hash(ascii: $0) } ?? hashStrongly(string)
    }

    /// Text that is not all ASCII, or not in one piece.
    @usableFromInline
    func hash(unusual key: ExactKey) -> UInt32 {
        var text = key.text
        return text.withUTF8 { hash(ascii: $0) } ?? hashStrongly(key)
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

extension Unicode.Scalar {
    /// The byte of ASCII that the character is equal to, if there is one.
    fileprivate var canonicalASCII: UInt8? {
        switch value {
        case 0..<0x80: UInt8(value)
        case 0x037E: 0x3B
        case 0x1FEF: 0x60
        case 0x212A: 0x4B
        default: nil
        }
    }
}

/// A string as the standard library keeps it on platforms of 64 bits: one of up to 15 bytes within itself, its length
/// and kind in the last byte. See "stdlib/public/core/StringObject.swift" of Swift.
@usableFromInline
struct ShortString {
    @usableFromInline let low: UInt64
    @usableFromInline let last: UInt64

    /// Whether it is one of up to 15 bytes, and all of them ASCII.
    @inlinable var isASCII: Bool { last &>> 60 == 0xE }
    @inlinable var high: UInt64 { last & 0x00FF_FFFF_FFFF_FFFF }
    @inlinable var count: UInt64 { last &>> 56 & 0xF }

    /// Whether strings of this process are kept so, found by looking at some.
    static let isLayoutOfString: Bool = {
        guard MemoryLayout<String>.size == MemoryLayout<Self>.size else { return false }
        let text = "abcdefghijklmno"
        let areShort = (0...15).allSatisfy { count in
            let bytes = Array(text.utf8.prefix(count)) + [UInt8](repeating: 0, count: 16 - count)
            let expected = bytes.withUnsafeBytes { $0.load(as: Self.self) }
            let words = unsafeBitCast(String(text.prefix(count)), to: Self.self)
            return words.isASCII && words.count == count && words.low == expected.low && words.high == expected.last
        }
        let areOthers = [text + "p", "é", String(text.dropLast()) + "é"].allSatisfy {
            !unsafeBitCast($0, to: Self.self).isASCII
        }
        return areShort && areOthers
    }()
}
