import NIOCore

extension ByteBuffer {
    /// Appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
    mutating func writeJSONString(_ text: ByteBuffer) {
        text.withUnsafeReadableBytes { writeJSONString($0) }
    }

    mutating func writeJSONString(_ text: String) {
        var text = text
        text.withUTF8 { writeJSONString(UnsafeRawBufferPointer($0)) }
    }

    private mutating func writeJSONString(_ bytes: UnsafeRawBufferPointer) {
        var position = bytes.firstByteNotPlainInJSON(from: 0)
        guard position < bytes.count else { return writePlainJSONString(bytes) }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            return writeJSONString(String(decoding: bytes, as: UTF8.self))
        }
        writeInteger(UInt8(ascii: "\""))
        var start = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte < 0x80 {
                writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
                writeEscape(of: byte)
                start = position + 1
            }
            position = bytes.firstByteNotPlainInJSON(from: position + 1)
        }
        writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        writeInteger(UInt8(ascii: "\""))
    }

    private mutating func writePlainJSONString(_ bytes: UnsafeRawBufferPointer) {
        let size = bytes.count + 2
        writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            target[0] = UInt8(ascii: "\"")
            UnsafeMutableRawBufferPointer(rebasing: target[1..<(size - 1)]).copyMemory(from: bytes)
            target[size - 1] = UInt8(ascii: "\"")
            return size
        }
    }

    private mutating func writeEscape(of byte: UInt8) {
        switch byte {
        case 0x22: writeStaticString("\\\"")
        case 0x5C: writeStaticString("\\\\")
        case 0x0A: writeStaticString("\\n")
        case 0x0D: writeStaticString("\\r")
        case 0x09: writeStaticString("\\t")
        default:
            writeString(byte < 0x10 ? "\\u000" : "\\u00")
            writeString(String(byte, radix: 16))
        }
    }
}
