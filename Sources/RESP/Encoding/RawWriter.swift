import NIOCore

/// How much room a command needs, found before writing it.
struct EncodingPlan {
    /// Digits of a 64-bit integer with sign, `$` and its own length, line ends.
    private static let overhead = 32

    private(set) var upperBound: Int
    private(set) var hasSegments = false

    init(_ command: RESPCommand) {
        var bound = Self.overhead * 2 + command.name.utf8.count
        var segmented = false
        command.forEachArgument { argument in
            let size =
                switch argument {
                case .string(let string): string.utf8.count
                case .bytes(let buffer): buffer.readableBytes
                case .integer: 20
                }
            bound += Self.overhead + size
            if size >= RESPEncoder.segmentThreshold { segmented = true }
        }
        upperBound = bound
        hasSegments = segmented
    }
}

/// Writes commands into memory that an ``EncodingPlan`` found to be large enough.
struct RawWriter {
    private let target: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ target: UnsafeMutableRawBufferPointer) {
        self.target = target
    }

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
                writeLineEnd()
            }
        }
    }

    private mutating func write(_ string: String) {
        writeHead(UInt8(ascii: "$"), string.utf8.count)
        let isContiguous: Void? = string.utf8.withContiguousStorageIfAvailable { write(UnsafeRawBufferPointer($0)) }
        if isContiguous == nil { for byte in string.utf8 { write(byte) } }
        writeLineEnd()
    }

    private mutating func write(_ integer: Int) {
        writeHead(UInt8(ascii: "$"), Self.digitCount(integer.magnitude) + (integer < 0 ? 1 : 0))
        if integer < 0 { write(UInt8(ascii: "-")) }
        writeDigits(integer.magnitude)
        writeLineEnd()
    }

    private mutating func writeHead(_ type: UInt8, _ length: Int) {
        write(type)
        writeDigits(length.magnitude)
        writeLineEnd()
    }

    private mutating func writeLineEnd() {
        write(UInt8(ascii: "\r"))
        write(UInt8(ascii: "\n"))
    }

    private mutating func writeDigits(_ number: UInt) {
        let end = count + Self.digitCount(number)
        var index = end
        var rest = number
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            index -= 1
            target[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
            rest = quotient
        } while rest > 0
        count = end
    }

    private mutating func write(_ byte: UInt8) {
        target[count] = byte
        count += 1
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: target[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

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
