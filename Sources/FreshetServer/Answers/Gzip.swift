import CZlib
import NIOCore

/// Compresses whole values (RFC 1952).
enum Gzip {
    /// Smaller values hardly get smaller.
    static let smallest = 1024

    /// - Returns: nil if zlib fails, or if the result is no smaller.
    static func compress(_ bytes: ByteBuffer) -> ByteBuffer? {
        var stream = z_stream()
        guard bytes.readableBytes <= Int(uInt.max), CZlib_gzipInit(&stream, 6) == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, uLong(bytes.readableBytes)))
        var output = ByteBufferAllocator().buffer(capacity: bound)
        var isDone = false
        bytes.withUnsafeReadableBytes { input in
            _ = output.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { space in
                // zlib does not write to its input, but its interface predates const.
                let source = UnsafeMutablePointer(mutating: input.bindMemory(to: Bytef.self).baseAddress)
                stream.next_in = source
                stream.avail_in = uInt(input.count)
                stream.next_out = space.bindMemory(to: Bytef.self).baseAddress
                stream.avail_out = uInt(clamping: space.count)
                isDone = deflate(&stream, Z_FINISH) == Z_STREAM_END
                return isDone ? Int(stream.total_out) : 0
            }
        }
        return isDone && output.readableBytes < bytes.readableBytes ? output : nil
    }
}
