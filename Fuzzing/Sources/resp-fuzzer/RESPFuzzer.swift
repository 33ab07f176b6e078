import NIOCore
import RESP

/// Bytes that nobody vouches for, to the decoder: as a whole and in pieces. Both must come to the same, and to an end.
///
///     swift build --package-path Fuzzing --sanitize fuzzer --sanitize address \
///         -Xswiftc -sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp
///     printf 'z*3\r\n%%1\r\n+a\r\n:1\r\n|1\r\n+b\r\n#t\r\n,1\r\n$4096\r\n%4096s\r\n' >seed
///     Fuzzing/.build/debug/resp-fuzzer -max_len=16384 -max_total_time=60 -seed_inputs=seed
///
/// The first byte says how large the pieces are. The seed has what is not soon found: aggregates, and a string so long
/// that its parts are put together as they come.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard let size = input.first else { return 0 }
    let bytes = ByteBuffer(bytes: input.dropFirst())
    let whole = decode([bytes])
    let pieces = decode(cut(bytes, every: Int(size) + 1))
    guard whole == pieces else { fatalError("In pieces: \(pieces). As a whole: \(whole).") }
    return 0
}

private struct Outcome: Equatable {
    var values: [String] = []
    var error: RESPDecodingError?
}

private func cut(_ bytes: ByteBuffer, every size: Int) -> [ByteBuffer] {
    var rest = bytes
    var pieces: [ByteBuffer] = []
    while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
        // Memory of its own, so that the sanitizer sees where it ends.
        pieces.append(ByteBuffer(bytes: piece.readableBytesView))
    }
    return pieces
}

private func decode(_ pieces: [ByteBuffer]) -> Outcome {
    var limits = RESPDecoder.Limits()
    limits.blobLength = 1 << 20
    limits.elementCount = 1 << 16
    var decoder = RESPDecoder(limits: limits)
    var outcome = Outcome()
    for piece in pieces {
        decoder.append(piece)
        do throws(RESPDecodingError) {
            // As text: not-a-number differs from itself.
            while let value = try decoder.next() { outcome.values.append("\(value)") }
        } catch {
            outcome.error = error
            return outcome
        }
    }
    return outcome
}
