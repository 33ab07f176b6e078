import Freshet
import NIOCore
import RESP

/// Writes results as JSON, with strings in base64 or not, into memory that is there: those that most commands have, which
/// are short and need no escapes.
struct PlainResultWriter {
    /// The most bytes that a result takes beside those of its string.
    static let overhead = 32

    private let start: UnsafeMutableRawPointer
    private let end: UnsafeMutableRawPointer
    private let isBase64: Bool
    private let maxEntryBytes: Int
    private var next: UnsafeMutableRawPointer

    /// - Parameter room: how many bytes may be written, be there more or not.
    init?(_ target: UnsafeMutableRawBufferPointer, room: Int, isBase64: Bool, maxEntryBytes: Int) {
        guard let start = target.baseAddress else { return nil }
        self.start = start
        end = start + min(room, target.count)
        self.isBase64 = isBase64
        self.maxEntryBytes = maxEntryBytes
        next = start
    }

    /// Bytes written.
    var count: Int { next - start }

    /// False, and nothing is written, where it is another result, or may not fit.
    mutating func write(_ result: RESPValue, isFirst: Bool) -> Bool {
        switch result {
        case .bulkString(let bytes):
            return bytes.withUnsafeReadableBytes { bytes in
                let size = isBase64 ? bytes.base64Count : bytes.count
                guard hasRoom(for: size), bytes.count <= maxEntryBytes,
                    isBase64 || bytes.firstByteNotPlainInJSON(from: 0) == bytes.count
                else { return false }
                put(isFirst ? "{\"result\":\"" : ",{\"result\":\"")
                if isBase64 {
                    bytes.encodeBase64(to: next)
                    next += size
                } else {
                    put(bytes)
                }
                put("\"}")
                return true
            }
        case .simpleString("OK"):
            guard hasRoom() else { return false }
            put(isFirst ? "{\"result\":\"OK\"}" : ",{\"result\":\"OK\"}")
        case .null:
            guard hasRoom() else { return false }
            put(isFirst ? "{\"result\":null}" : ",{\"result\":null}")
        case .integer(let integer):
            guard hasRoom() else { return false }
            put(isFirst ? "{\"result\":" : ",{\"result\":")
            var digits = String(integer)
            digits.withUTF8 { put(UnsafeRawBufferPointer($0)) }
            put("}")
        default: return false
        }
        return true
    }

    private func hasRoom(for bytes: Int = 0) -> Bool { bytes <= end - next - Self.overhead }

    @inline(__always)
    private mutating func put(_ text: StaticString) {
        put(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    private mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let first = bytes.baseAddress else { return }
        next.copyMemory(from: first, byteCount: bytes.count)
        next += bytes.count
    }
}
