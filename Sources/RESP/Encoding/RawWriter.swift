import NIOCore

/// How much room commands need, found before writing them.
struct EncodingPlan {
    /// Digits of a 64-bit integer with sign, `$` and its own length, line ends.
    private static let overhead = 32

    private(set) var upperBound = 0
    private(set) var hasSegments = false

    mutating func add(_ command: RESPCommand) {
        upperBound += Self.overhead * 2 + command.name.utf8.count
        command.forEachArgument { argument in
            let size = argument.byteCount
            upperBound += Self.overhead + size
            if size >= RESPEncoder.segmentThreshold { hasSegments = true }
        }
    }
}

/// Writes commands into memory that an ``EncodingPlan`` found to be large enough.
struct RawWriter {
    private static let lineEnd: UInt16 = 0x0D0A

    private let start: UnsafeMutableRawPointer
    private var next: UnsafeMutableRawPointer

    init(_ start: UnsafeMutableRawPointer) {
        self.start = start
        next = start
    }

    /// Bytes written.
    var count: Int { next - start }

    @inline(__always)
    mutating func write(_ command: RESPCommand) {
        writeHead(UInt8(ascii: "*"), command.argumentCount + 1)
        write(command.name)
        command.forEachArgument { argument in
            switch argument {
            case .string(let string): write(string)
            case .integer(let integer): write(integer)
            case .bytes(let buffer):
                writeHead(UInt8(ascii: "$"), buffer.readableBytes)
                buffer.withUnsafeReadableBytes { write($0) }
                store(Self.lineEnd)
            }
        }
    }

    private mutating func write(_ string: String) {
        writeHead(UInt8(ascii: "$"), string.utf8.count)
        let isContiguous: Void? = string.utf8.withContiguousStorageIfAvailable { write(UnsafeRawBufferPointer($0)) }
        if isContiguous == nil { for byte in string.utf8 { store(byte) } }
        store(Self.lineEnd)
    }

    private mutating func write(_ integer: Int) {
        writeHead(UInt8(ascii: "$"), Self.size(of: integer))
        if integer < 0 { store(UInt8(ascii: "-")) }
        writeDigits(integer.magnitude)
        store(Self.lineEnd)
    }

    private mutating func writeHead(_ type: UInt8, _ length: Int) {
        if length < 10 {
            // Most heads, with one store.
            let digit = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: length)
            store(UInt32(type) << 24 | UInt32(digit) << 16 | UInt32(Self.lineEnd))
        } else {
            store(type)
            writeDigits(length.magnitude)
            store(Self.lineEnd)
        }
    }

    private mutating func writeDigits(_ number: UInt) {
        let end = next + Self.digitCount(number)
        var place = end
        var rest = number
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            place -= 1
            place.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit), as: UInt8.self)
            rest = quotient
        } while rest > 0
        next = end
    }

    private mutating func store<Word: FixedWidthInteger & BitwiseCopyable>(_ word: Word) {
        next.storeBytes(of: word.bigEndian, as: Word.self)
        next += MemoryLayout<Word>.size
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        next.copyMemory(from: base, byteCount: bytes.count)
        next += bytes.count
    }

    /// In bytes, with its sign.
    static func size(of integer: Int) -> Int { digitCount(integer.magnitude) + (integer < 0 ? 1 : 0) }

    private static func digitCount(_ number: UInt) -> Int {
        var digits = 1
        var rest = number
        while rest >= 10 {
            digits += 1
            rest /= 10
        }
        return digits
    }
}
