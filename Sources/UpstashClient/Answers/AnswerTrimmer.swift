import NIOCore
import RESP

/// Cuts results out of a list of answers that is larger than the client accepts, while it comes in, so that those of
/// other commands are kept.
///
/// Works on the JSON as such: an answer is an object in the outermost array. What is malformed passes as it is, and is
/// noticed by who reads it.
struct AnswerTrimmer {
    /// What stands in the place of a result: the words of the service for one that it does not give itself.
    static let mark = RESPError("ERR max request size exceeded. The result is larger than this client accepts.")

    /// What an answer may have in any case. No mark is larger.
    static let leastBytes = 256

    private let maxBytes: Int
    private(set) var kept = ByteBuffer()
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// Where the current answer begins in what is kept; `nil` between answers, and in one that was cut out.
    private var start: Int?
    private var isSkipping = false
    /// Marks take no room from others.
    private var bytesOfMarks = 0

    init(maxBytes: Int) {
        self.maxBytes = maxBytes
    }

    /// - Complexity: linear in the bytes.
    mutating func receive(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            var copied = 0
            for index in bytes.indices {
                let (wasInside, wasSkipping) = (depth > 1, isSkipping)
                step(bytes[index])
                if !wasInside, depth > 1 {
                    keep(bytes[copied..<index])
                    copied = index
                    start = kept.writerIndex
                } else if wasInside, depth == 1 {
                    if wasSkipping { copied = index + 1 } else { keep(bytes[copied...index]) }
                    copied = index + 1
                    start = nil
                    isSkipping = false
                }
            }
            if !isSkipping { keep(bytes[copied...]) }
        }
    }

    private mutating func step(_ byte: UInt8) {
        switch byte {
        case _ where isEscaped: isEscaped = false
        case UInt8(ascii: "\\"): isEscaped = isInString
        case UInt8(ascii: "\""): isInString.toggle()
        case _ where isInString: break
        case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
        default: break
        }
    }

    private mutating func keep(_ bytes: Slice<UnsafeRawBufferPointer>) {
        guard kept.readableBytes - bytesOfMarks + bytes.count > maxBytes, let start,
            kept.writerIndex - start + bytes.count > Self.leastBytes
        else {
            kept.writeBytes(UnsafeRawBufferPointer(rebasing: bytes))
            return
        }
        kept.moveWriterIndex(to: start)
        bytesOfMarks += kept.writeString("{\"error\":\"\(Self.mark.text)\"}")
        self.start = nil
        isSkipping = true
    }
}
