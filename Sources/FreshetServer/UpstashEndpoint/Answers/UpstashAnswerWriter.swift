import NIOCore
import RESP

/// Writes replies as the service does: `{"result":…}` or `{"error":"…"}`, never both, `null` written out; or as RESP2.
///
/// An entry that is larger than one may be, or for which the whole has no room left, becomes an error that says so.
struct UpstashAnswerWriter {
    private static let largestReserve = 64 << 10

    private(set) var buffer = ByteBuffer()
    private let format: UpstashAnswerFormat
    private let maxEntryBytes: Int
    private let maxBytes: Int
    /// Whether nothing is written yet but a bracket.
    private(set) var isFirst = true
    /// Whether entries have places of their own, be they errors.
    private(set) var isList = false

    init(_ format: UpstashAnswerFormat = .json, maxEntryBytes: Int = .max, maxBytes: Int = .max) {
        self.format = format
        self.maxEntryBytes = maxEntryBytes
        self.maxBytes = maxBytes
    }

    /// The bracket of a list. RESP2 has none: entries follow each other as they would on a connection.
    mutating func beginList() {
        isList = true
        if format != .resp2 { buffer.writeStaticString("[") }
    }

    mutating func endList() {
        if format != .resp2 { buffer.writeStaticString("]") }
    }

    /// Takes back what was written since there were so many bytes.
    mutating func takeBack(to length: Int, isFirst: Bool) {
        buffer.moveWriterIndex(to: buffer.readerIndex + length)
        self.isFirst = isFirst
    }

    mutating func write(_ entries: [RESPValue]) {
        if format == .resp2 { return entries.forEach { write($0) } }
        let held = entries.heldBytes + PlainResultWriter.overhead * entries.count
        let size = min(format == .base64 ? held / 3 * 4 + 4 : held, Self.largestReserve)
        entries.withUnsafeBufferPointer { entries in
            var rest = entries[...]
            while !rest.isEmpty {
                let count = writePlain(UnsafeBufferPointer(rebasing: rest), reserving: size)
                rest = rest.dropFirst(count)
                if count == 0, let entry = rest.popFirst() { write(entry) }
            }
        }
    }

    /// Appends entries up to one that needs a closer look, and tells how many.
    private mutating func writePlain(_ entries: UnsafeBufferPointer<RESPValue>, reserving size: Int) -> Int {
        guard let first = entries.baseAddress else { return 0 }
        let (room, isFirst) = (max(0, maxBytes - buffer.writerIndex), isFirst)
        let (isBase64, maxEntryBytes) = (format == .base64, maxEntryBytes)
        var count = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            guard
                var writer = PlainResultWriter(target, room: room, isBase64: isBase64, maxEntryBytes: maxEntryBytes)
            else { return 0 }
            while count < entries.count, writer.write(first[count], isFirst: isFirst && count == 0) { count += 1 }
            return writer.count
        }
        if count > 0 { self.isFirst = false }
        return count
    }

    mutating func write(_ entry: RESPValue) {
        defer { isFirst = false }
        // As commands are measured, however long their strings are once written: what was taken can be read.
        let size = entry.size()
        if size > maxEntryBytes { return write(tooLarge: size, limit: maxEntryBytes) }
        let room = max(0, maxBytes - buffer.writerIndex)
        let leastSize = leastSize(of: entry, upTo: room)
        if leastSize > room { return write(tooLarge: leastSize, limit: maxBytes) }
        let start = buffer.writerIndex
        if case .error(let error) = entry { write(error: error.text) } else { writeResult(entry) }
        guard buffer.writerIndex > maxBytes else { return }
        let length = buffer.writerIndex - start
        buffer.moveWriterIndex(to: start)
        write(tooLarge: length, limit: maxBytes)
    }

    /// How long an entry is at least once it is written, so that hardly any is written only to be taken back.
    ///
    /// - Parameter limit: What is longer is not looked at to its end.
    func leastSize(of entry: RESPValue, upTo limit: Int) -> Int {
        let size = entry.size()
        switch format {
        case .base64 where entry.error == nil: return size / 3 * 4
        case .json where size <= limit && size > limit / JSONEscapes.maxSize:
            if let error = entry.error { return ByteBuffer(string: error.text).jsonStringSize(upTo: limit) }
            var left = limit
            return entry.size { string in
                let size = string.jsonStringSize(upTo: left)
                left -= size
                return size
            }
        default: return size
        }
    }

    private mutating func write(tooLarge size: Int, limit: Int) {
        write(error: UpstashRefusal.commandTooLarge(limit: limit, actual: size).text)
    }

    private mutating func write(error text: String) {
        if format == .resp2 { return buffer.writeRESP2(.error(RESPError(text))) }
        buffer.writeStaticString(isFirst ? "{\"error\":" : ",{\"error\":")
        buffer.writeJSONString(text)
        buffer.writeStaticString("}")
    }

    private mutating func writeResult(_ value: RESPValue) {
        if format == .resp2 { return buffer.writeRESP2(value) }
        let start: StaticString = isFirst ? "{\"result\":" : ",{\"result\":"
        switch value {
        case .simpleString("OK"):
            // In base64, too.
            buffer.writeStaticString(start)
            buffer.writeStaticString("\"OK\"")
        default:
            buffer.writeStaticString(start)
            write(inResult: value)
        }
        buffer.writeStaticString("}")
    }

    /// In the shapes of RESP2: pairs are flat, numbers that are no integers are strings.
    private mutating func write(inResult value: RESPValue) {
        switch value {
        case .null: buffer.writeStaticString("null")
        case .integer(let integer): buffer.writeString(String(integer))
        case .boolean(let boolean): buffer.writeString(boolean ? "1" : "0")
        case .double(let double): write(string: double.description)
        case .simpleString(let string), .bigNumber(let string): write(string: string)
        case .bulkString(let bytes), .verbatimString(_, let bytes):
            if format == .base64 { buffer.writeBase64String(bytes) } else { buffer.writeJSONString(bytes) }
        case .error(let error): write(string: error.text)
        case .array(let values), .set(let values), .push(let values): write(array: values)
        case .map(let pairs): write(array: pairs.flatMap { [$0.key, $0.value] })
        }
    }

    private mutating func write(array values: [RESPValue]) {
        buffer.writeStaticString("[")
        // What there is no room for is taken back as a whole.
        for (index, value) in values.enumerated() where buffer.writerIndex <= maxBytes {
            if index > 0 { buffer.writeStaticString(",") }
            write(inResult: value)
        }
        buffer.writeStaticString("]")
    }

    private mutating func write(string: String) {
        if format == .base64 {
            buffer.writeBase64String(ByteBuffer(string: string))
        } else {
            buffer.writeJSONString(string)
        }
    }
}
