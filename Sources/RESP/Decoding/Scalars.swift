import NIOCore

/// Scalars from the bytes of their line.
enum Scalars {
    static func integer(_ line: UnsafeRawBufferPointer) throws(RESPDecodingError) -> Int {
        var index = 0
        var negative = false
        if let sign = line.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            negative = sign == UInt8(ascii: "-")
            index = 1
        }
        guard index < line.count else { throw RESPDecodingError(.malformed) }
        // Counts downwards, because the smallest integer has no positive counterpart.
        var value = 0
        while index < line.count {
            let digit = line[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw RESPDecodingError(.malformed) }
            let (scaled, scaleOverflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = scaled.subtractingReportingOverflow(Int(digit))
            guard !scaleOverflow, !sumOverflow else { throw RESPDecodingError(.malformed) }
            value = sum
            index += 1
        }
        if negative { return value }
        let (positive, overflow) = 0.subtractingReportingOverflow(value)
        guard !overflow else { throw RESPDecodingError(.malformed) }
        return positive
    }

    static func text(_ line: UnsafeRawBufferPointer) -> String {
        String(decoding: line, as: UTF8.self)
    }

    /// Scripts give out any bytes as one.
    static func status(_ line: UnsafeRawBufferPointer) -> RESPValue {
        String(validated: line).map { .simpleString($0) } ?? .bulkString(ByteBuffer(bytes: line))
    }

    static func double(_ line: UnsafeRawBufferPointer) throws(RESPDecodingError) -> Double {
        // `Double.init` also reads hexadecimal, which is no RESP.
        let isDecimal = line.allSatisfy { $0 != UInt8(ascii: "x") && $0 != UInt8(ascii: "X") }
        guard isDecimal, let value = Double(text(line)) else { throw RESPDecodingError(.malformed) }
        return value
    }

    static func boolean(_ line: UnsafeRawBufferPointer) throws(RESPDecodingError) -> Bool {
        guard line.count == 1 else { throw RESPDecodingError(.malformed) }
        switch line[0] {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: throw RESPDecodingError(.malformed)
        }
    }
}
