import NIOCore
import RESP
import Testing

/// What a decoder makes of bytes: the values, and the error that ended it. Asked for a value at a time, and for all.
struct Decoded: Equatable {
    var values: [RESPValue] = []
    var error: RESPDecodingError?

    /// Feeds the pieces one after the other.
    init(_ pieces: some Sequence<[UInt8]>, limits: RESPDecoder.Limits = .init(), dropsTooDeep: Bool = false) {
        var decoder = RESPDecoder(limits: limits, dropsTooDeep: dropsTooDeep)
        do throws(RESPDecodingError) {
            for piece in pieces {
                decoder.append(ByteBuffer(bytes: piece))
                while let value = try decoder.next() { values.append(value) }
            }
        } catch {
            self.error = error
        }
        let all = Self.inBulk(pieces, RESPDecoder(limits: limits, dropsTooDeep: dropsTooDeep))
        // "Not a number" is not equal to itself.
        #expect(all.0 == values || "\(all.0)" == "\(values)")
        #expect(all.1 == error)
    }

    private static func inBulk(
        _ pieces: some Sequence<[UInt8]>,
        _ empty: RESPDecoder
    ) -> ([RESPValue], RESPDecodingError?) {
        var decoder = empty
        var values: [RESPValue] = []
        do throws(RESPDecodingError) {
            for piece in pieces {
                decoder.append(ByteBuffer(bytes: piece))
                try decoder.next(into: &values)
            }
        } catch {
            return (values, error)
        }
        return (values, nil)
    }

    init(_ text: String, limits: RESPDecoder.Limits = .init()) {
        self.init([Array(text.utf8)], limits: limits)
    }

    init(values: [RESPValue]) {
        self.values = values
    }
}

extension RESPValue {
    static func bulk(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }
}

extension [UInt8] {
    /// The bytes cut at random places, on average every `length` bytes.
    func pieces(ofAbout length: Int, using generator: inout some RandomNumberGenerator) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < count {
            let end = Swift.min(count, start + Int.random(in: 1...Swift.max(1, 2 * length), using: &generator))
            pieces.append(Array(self[start..<end]))
            start = end
        }
        return pieces
    }
}
