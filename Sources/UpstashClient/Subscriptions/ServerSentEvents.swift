import NIOCore

/// Cuts a stream of bytes into events (WHATWG HTML, "Server-sent events"). Only their data matters here.
struct ServerSentEvents {
    struct TooLong: Error {}

    private let maxBytes: Int
    private var rest = ByteBuffer()
    /// How much of the rest is known to hold no end of a line.
    private var searched = 0
    private var data: ByteBuffer?
    private var skipsLineFeed = false
    private var isFirstLine = true

    init(maxBytes: Int) {
        self.maxBytes = maxBytes
    }

    /// - Returns: the data of the events that are complete now.
    /// - Throws: ``TooLong`` for a line, or the data of an event, of more than `maxBytes`.
    /// - Complexity: linear in the bytes of the stream, however they are cut.
    mutating func receive(_ bytes: ByteBuffer) throws -> [ByteBuffer] {
        rest.writeImmutableBuffer(bytes)
        var events: [ByteBuffer] = []
        while var line = nextLine() {
            if isFirstLine, line.readableBytesView.starts(with: "\u{FEFF}".utf8) { line.moveReaderIndex(forwardBy: 3) }
            isFirstLine = false
            guard line.readableBytes <= maxBytes else { throw TooLong() }
            if line.readableBytes > 0 {
                add(line)
                guard data?.readableBytes ?? 0 <= maxBytes else { throw TooLong() }
            } else if let event = data {
                events.append(event)
                data = nil
            }
        }
        rest.discardReadBytes()
        guard rest.readableBytes <= maxBytes else { throw TooLong() }
        return events
    }

    /// Lines end with CR, LF or both.
    private mutating func nextLine() -> ByteBuffer? {
        if skipsLineFeed, rest.readableBytes > 0 {
            skipsLineFeed = false
            if rest.getInteger(at: rest.readerIndex) == UInt8(ascii: "\n") { rest.moveReaderIndex(forwardBy: 1) }
        }
        let view = rest.readableBytesView
        let start = view.startIndex + searched
        guard let end = view[start...].firstIndex(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") })
        else {
            searched = view.count
            return nil
        }
        searched = 0
        skipsLineFeed = view[end] == UInt8(ascii: "\r")
        let line = rest.readSlice(length: end - view.startIndex)
        rest.moveReaderIndex(forwardBy: 1)
        return line
    }

    private mutating func add(_ line: ByteBuffer) {
        var line = line
        guard line.readableBytesView.starts(with: "data".utf8) else { return }
        line.moveReaderIndex(forwardBy: 4)
        switch line.readInteger(as: UInt8.self) {
        case UInt8(ascii: ":"): break
        case nil: break
        default: return
        }
        if line.getInteger(at: line.readerIndex) == UInt8(ascii: " "), line.readableBytes > 0 {
            line.moveReaderIndex(forwardBy: 1)
        }
        if data == nil { data = ByteBuffer() } else { data?.writeInteger(UInt8(ascii: "\n")) }
        data?.writeBuffer(&line)
    }
}
