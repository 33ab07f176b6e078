import Freshet
import NIOCore

extension ByteBuffer {
    /// Appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
    mutating func writeJSONString(_ text: ByteBuffer) {
        text.withUnsafeReadableBytes { writeJSONString($0) }
    }

    /// How long its bytes are as a JSON string; those that are not UTF-8 count as they are, and no more than a little
    /// above the limit is counted.
    func jsonStringSize(upTo limit: Int) -> Int {
        withUnsafeReadableBytes { bytes in
            bytes.firstByteNotPlainInJSON(from: 0) == bytes.count
                ? bytes.count + 2 : JSONEscapes.size(of: bytes, upTo: limit)
        }
    }

    mutating func writeJSONString(_ text: String) {
        var text = text
        text.withUTF8 { writeJSONString(UnsafeRawBufferPointer($0)) }
    }

    private mutating func writeJSONString(_ bytes: UnsafeRawBufferPointer) {
        if bytes.firstByteNotPlainInJSON(from: 0) == bytes.count { return writePlainJSONString(bytes) }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            return writeJSONString(String(decoding: bytes, as: UTF8.self))
        }
        writeEscapedJSONString(bytes)
    }

    private mutating func writePlainJSONString(_ bytes: UnsafeRawBufferPointer) {
        let size = bytes.count + 2
        writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            target[0] = UInt8(ascii: "\"")
            UnsafeMutableRawBufferPointer(rebasing: target[1...]).copyMemory(from: bytes)
            target[size - 1] = UInt8(ascii: "\"")
            return size
        }
    }

    private mutating func writeEscapedJSONString(_ bytes: UnsafeRawBufferPointer) {
        JSONEscapes.letters.withUnsafeBufferPointer { letters in
            _ = writeWithUnsafeMutableBytes(minimumWritableBytes: JSONEscapes.size(of: bytes)) { target in
                var end = 0
                func put(_ byte: UInt8) {
                    target[end] = byte
                    end += 1
                }
                put(UInt8(ascii: "\""))
                for byte in bytes {
                    let letter = letters[Int(byte)]
                    if letter == JSONEscapes.none {
                        put(byte)
                        continue
                    }
                    put(UInt8(ascii: "\\"))
                    put(letter)
                    guard letter == JSONEscapes.code else { continue }
                    put(UInt8(ascii: "0"))
                    put(UInt8(ascii: "0"))
                    put(UInt8(ascii: "0") + byte >> 4)
                    let digit = byte & 15
                    put(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
                }
                put(UInt8(ascii: "\""))
                return end
            }
        }
    }
}

/// What follows the backslash that stands for a byte in a string of JSON.
enum JSONEscapes {
    /// The byte stands for itself.
    static let none: UInt8 = 0
    /// Four digits follow.
    static let code = UInt8(ascii: "u")

    /// By byte.
    static let letters: [UInt8] = {
        var letters = [UInt8](repeating: none, count: 256)
        for byte in 0..<0x20 { letters[byte] = code }
        for (byte, letter) in [(0x22, "\""), (0x5C, "\\"), (0x0A, "n"), (0x0D, "r"), (0x09, "t")]
            as [(Int, Unicode.Scalar)]
        {
            letters[byte] = UInt8(ascii: letter)
        }
        return letters
    }()

    /// Of a string with its quotes, or of as much of it as the limit allows, and a little more.
    static func size(of bytes: UnsafeRawBufferPointer, upTo limit: Int = .max) -> Int {
        letters.withUnsafeBufferPointer { letters in
            var size = 2
            for byte in bytes {
                size += Self.size(letters[Int(byte)])
                if size > limit { break }
            }
            return size
        }
    }

    /// Of a byte as it is written, at most.
    static let maxSize = 6

    private static func size(_ letter: UInt8) -> Int { letter == none ? 1 : letter == code ? maxSize : 2 }
}
