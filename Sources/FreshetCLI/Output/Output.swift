import Foundation
import Freshet
import NIOCore
import Synchronization

/// Standard output is for what was asked for, standard error for everything else.
///
/// What was asked for and cannot be written is a ``Failure``.
enum Output {
    static func line(_ text: String) throws { try write("\(text)\n".utf8) }

    /// Byte for byte, whether they are text or not.
    static func line(_ bytes: ByteBuffer) throws { try write(bytes.readableBytesView + "\n".utf8) }

    /// Without a line's end, to be overwritten.
    static func progress(_ text: String) throws { try write(text.utf8) }

    static func json(_ value: some Encodable) throws {
        try line(String(buffer: try StoredJSON.encode(value)))
    }

    /// What a service says of itself. It goes on where nobody hears it.
    static func announce(_ text: String) {
        do { try line(text) } catch { Self.error("freshet: \((error as? Failure)?.message ?? "\(error)")") }
    }

    /// A line with text from elsewhere in it.
    static func foreign(_ text: String) throws { try line(text.printable()) }

    /// It may have lines.
    static func error(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable() }
        try? write("\(lines.joined(separator: "\n"))\n".utf8, to: STDERR_FILENO)
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    private static let readerHasGone = Atomic(false)

    /// Whether somebody reads standard output, as far as what was written tells.
    static var hasReader: Bool { !readerHasGone.load(ordering: .relaxed) }

    private static func write(_ bytes: some Sequence<UInt8>, to file: Int32 = STDOUT_FILENO) throws {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: waitForRoom(in: file)
            // A reader that has gone is no reason to fail.
            case EPIPE:
                if file == STDOUT_FILENO { readerHasGone.store(true, ordering: .relaxed) }
                return
            case let code:
                let reason = Reason.text(IOError(errnoCode: code, reason: "write"))
                throw Failure(.internal, "standard output cannot be written: \(reason)")
            }
        }
    }

    /// Whoever shares a terminal or pipe may have made it one that does not block.
    private static func waitForRoom(in file: Int32) {
        var request = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
        _ = poll(&request, 1, -1)
    }
}
