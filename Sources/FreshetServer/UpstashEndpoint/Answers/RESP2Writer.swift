import NIOCore
import RESP

extension ByteBuffer {
    /// Appends a reply as a server of RESP2 sends it. Absent arrays are sent as absent strings.
    mutating func writeRESP2(_ value: RESPValue) {
        switch value {
        case .null: writeStaticString("$-1\r\n")
        case .simpleString(let string): writeLine("+", string)
        case .error(let error): writeLine("-", error.text)
        case .integer(let integer): writeString(":\(integer)\r\n")
        case .boolean(let boolean): writeString(":\(boolean ? 1 : 0)\r\n")
        case .double(let double): writeRESP2(.bulkString(ByteBuffer(string: double.description)))
        case .bigNumber(let digits): writeRESP2(.bulkString(ByteBuffer(string: digits)))
        case .bulkString(let bytes), .verbatimString(_, let bytes):
            writeString("$\(bytes.readableBytes)\r\n")
            writeImmutableBuffer(bytes)
            writeStaticString("\r\n")
        case .array(let values), .set(let values), .push(let values):
            writeString("*\(values.count)\r\n")
            for value in values { writeRESP2(value) }
        case .map(let pairs):
            writeString("*\(pairs.count * 2)\r\n")
            for pair in pairs {
                writeRESP2(pair.key)
                writeRESP2(pair.value)
            }
        }
    }

    /// Texts may repeat what a client sent: an end of line in them must not begin another reply.
    private mutating func writeLine(_ type: StaticString, _ text: String) {
        writeStaticString(type)
        if text.utf8.contains(where: { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }) {
            writeBytes(text.utf8.map { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") ? UInt8(ascii: " ") : $0 })
        } else {
            writeString(text)
        }
        writeStaticString("\r\n")
    }
}
