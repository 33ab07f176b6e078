import NIOCore
import RESP

/// Writes commands as the JSON arrays of strings that the service reads.
enum CommandJSON {
    /// Adds a command.
    ///
    /// - Returns: false, with nothing added, if an argument is not UTF-8, which JSON cannot carry.
    static func write(_ command: RESPCommand, to buffer: inout ByteBuffer) -> Bool {
        let start = buffer.writerIndex
        buffer.writeInteger(UInt8(ascii: "["))
        write(command.name, to: &buffer)
        var isText = true
        command.forEachArgument { argument in
            guard isText else { return }
            buffer.writeInteger(UInt8(ascii: ","))
            switch argument {
            case .string(let string): write(string, to: &buffer)
            // As text: numbers of JSON lose digits on their way through many readers.
            case .integer(let integer): buffer.writeString("\"\(integer)\"")
            case .bytes:
                guard let string = argument.string else { return isText = false }
                write(string, to: &buffer)
            }
        }
        guard isText else {
            buffer.moveWriterIndex(to: start)
            return false
        }
        buffer.writeInteger(UInt8(ascii: "]"))
        return true
    }

    private static func write(_ string: String, to buffer: inout ByteBuffer) {
        var string = string
        string.withUTF8 { write(UnsafeRawBufferPointer($0), to: &buffer) }
    }

    private static func write(_ text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        buffer.reserveCapacity(minimumWritableBytes: text.count + 3)
        buffer.writeInteger(UInt8(ascii: "\""))
        var start = 0
        for index in text.indices where needsEscape(text[index]) {
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: text[start..<index]))
            escape(text[index], to: &buffer)
            start = index + 1
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: text[start...]))
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func escape(_ byte: UInt8, to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "\\"))
        guard byte < 0x20 else {
            buffer.writeInteger(byte)
            return
        }
        buffer.writeStaticString("u00")
        buffer.writeInteger(UInt8(ascii: "0") + byte >> 4)
        let digit = byte & 0xF
        buffer.writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}
