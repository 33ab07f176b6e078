import NIOCore
import RESP
import TestSupport
import Testing

/// Hostile bytes end in values or in an error, never in a trap, and it does not matter how they were cut.
@Suite struct RESPDecoderMutationTests {
    /// Four seeds run side by side; together they feed ten million bytes.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func survivesMutation(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var limits = RESPDecoder.Limits()
        limits.depth = 8
        limits.elementCount = 100_000
        var fed = 0
        var refused = 0
        var accepted = 0
        while fed < 2_500_000 {
            let stream = mutated(validStream(using: &generator), using: &generator)
            fed += stream.count
            let whole = Decoded([stream], limits: limits)
            let cut = Decoded(stream.pieces(ofAbout: 50, using: &generator), limits: limits)
            #expect(whole == cut, "seed \(seed)")
            if whole.error == nil { accepted += 1 } else { refused += 1 }
        }
        // The mutations are neither so mild nor so wild that one side stays untested.
        #expect(refused > 100)
        #expect(accepted > 100)
    }

    private func validStream(using generator: inout SplitMix64) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...30, using: &generator) { appendValue(to: &bytes, depth: 0, using: &generator) }
        return bytes
    }

    private func appendValue(to bytes: inout [UInt8], depth: Int, using generator: inout SplitMix64) {
        switch Int.random(in: 0..<(depth < 5 ? 14 : 9), using: &generator) {
        case 0: bytes += Array("+OK\r\n".utf8)
        case 1: bytes += Array("-ERR bad thing\r\n".utf8)
        case 2: bytes += Array(":\(Int.random(in: .min ... .max, using: &generator))\r\n".utf8)
        case 3: bytes += Array(",\(Double.random(in: -1e9...1e9, using: &generator))\r\n".utf8)
        case 4: bytes += Array("#t\r\n_\r\n".utf8)
        case 5: bytes += Array("(12345678901234567890\r\n$-1\r\n".utf8)
        case 6: bytes += Array("=8\r\nmkd:text\r\n!5\r\nERR x\r\n".utf8)
        case 7...8:
            // The longest are put together in memory of their own while they arrive.
            let isLong = Int.random(in: 0..<60, using: &generator) == 0
            let longest = isLong ? 9000 : Bool.random(using: &generator) ? 20 : 600
            let length = Int.random(in: 0...longest, using: &generator)
            bytes += Array("$\(length)\r\n".utf8)
            bytes += (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            bytes += Array("\r\n".utf8)
        default:
            let type = ["*", "~", ">", "%", "|"].randomElement(using: &generator) ?? "*"
            let count = Int.random(in: 0...4, using: &generator)
            bytes += Array("\(type)\(count)\r\n".utf8)
            for _ in 0..<(type == "%" || type == "|" ? 2 * count : count) {
                appendValue(to: &bytes, depth: depth + 1, using: &generator)
            }
        }
    }

    private func mutated(_ original: [UInt8], using generator: inout SplitMix64) -> [UInt8] {
        var bytes = original
        let structural = Array("$*%~>|:,#_(=!+-0123456789\r\n".utf8)
        for _ in 0..<Int.random(in: 0...2, using: &generator) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[index] = structural.randomElement(using: &generator) ?? 0
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(structural.randomElement(using: &generator) ?? 0, at: index)
            case 4: bytes.insert(contentsOf: Array("9223372036854775807".utf8), at: index)
            default: bytes.removeLast(bytes.count - index)
            }
        }
        return bytes
    }
}
