import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension ChannelHandlerContext {
    /// Bytes on their way: those that wait here, and where the system tells, those that the other side's system has not
    /// acknowledged.
    var unsentByteCount: Int {
        let waiting = try? channel.syncOptions?.getOption(.bufferedWritableBytes)
        return (waiting ?? 0) + queuedByteCount
    }

    private var queuedByteCount: Int {
        #if os(Linux)
        let operations = pipeline.syncOperations
        let queued = try? operations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { socket in
            var count: CInt = 0
            return ioctl(socket, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : 0
        }
        return queued ?? 0
        #else
        return 0
        #endif
    }
}
