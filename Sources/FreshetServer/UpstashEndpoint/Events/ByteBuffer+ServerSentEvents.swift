import NIOCore

extension ByteBuffer {
    /// A sign of life.
    static let serverSentComment = ByteBuffer(string: ":\n\n")

    static func serverSentEvent(_ text: String) -> ByteBuffer {
        var event = ByteBuffer()
        event.writeServerSentEvent(ByteBuffer(string: text))
        return event
    }

    /// Every line of the text is a line of data, as the format of server-sent events has it. There a carriage return
    /// ends a line by itself, too: left in, it would let publishers write events of their own.
    mutating func writeServerSentEvent(_ text: ByteBuffer) {
        let bytes = text.readableBytesView
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            writeLine(bytes[start..<end])
            start = bytes.index(after: end)
            let isReturn = bytes[end] == UInt8(ascii: "\r")
            if isReturn, start < bytes.endIndex, bytes[start] == UInt8(ascii: "\n") {
                start = bytes.index(after: start)
            }
        }
        writeLine(bytes[start...])
        writeStaticString("\n")
    }

    private mutating func writeLine(_ line: ByteBufferView) {
        writeStaticString("data: ")
        writeBytes(line)
        writeStaticString("\n")
    }
}
