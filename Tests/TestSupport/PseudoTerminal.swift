public import Foundation

/// A terminal for a program to write to, whose other side the test reads.
public final class PseudoTerminal: Sendable {
    public struct NotThere: Error {}

    /// The program's side. Closed in this process by ``output()``.
    public let file: FileHandle
    private let controller: Int32

    public init() throws {
        guard let pair = Self.openPair() else { throw NotThere() }
        controller = pair.controller
        file = FileHandle(fileDescriptor: pair.terminal, closeOnDealloc: true)
    }

    deinit { close(controller) }

    /// What has been written, with the line ends of terminals. For when the program has ended.
    public func output() -> String {
        try? file.close()
        _ = fcntl(controller, F_SETFL, O_NONBLOCK)
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(controller, &part, part.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += part[..<count]
        }
    }

    #if os(Linux)
    // What posix_openpt and its like do, which Glibc's module does not show.
    private static func openPair() -> (controller: Int32, terminal: Int32)? {
        let (setLock, getNumber) = (UInt(0x4004_5431), UInt(0x8004_5430))
        let controller = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var isLocked: Int32 = 0
        var number: UInt32 = 0
        guard controller >= 0, ioctl(controller, setLock, &isLocked) == 0, ioctl(controller, getNumber, &number) == 0
        else { return nil }
        let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        return terminal >= 0 ? (controller, terminal) : nil
    }
    #else
    private static func openPair() -> (controller: Int32, terminal: Int32)? {
        let controller = posix_openpt(O_RDWR | O_NOCTTY)
        guard controller >= 0, grantpt(controller) == 0, unlockpt(controller) == 0, let name = ptsname(controller)
        else { return nil }
        let terminal = open(name, O_RDWR | O_NOCTTY)
        return terminal >= 0 ? (controller, terminal) : nil
    }
    #endif
}
