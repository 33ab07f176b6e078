import Foundation
import NIOConcurrencyHelpers

#if canImport(Glibc)
import Glibc
private let streamType = Int32(SOCK_STREAM.rawValue)
#else
private let streamType = SOCK_STREAM
#endif

/// Plain sockets on 127.0.0.1, for what a test needs before it has a client.
public enum LoopbackSocket {
    /// A port that nobody listens on, and that nobody is likely to take before it is used: systems give higher ones to
    /// outgoing connections, and no other caller in this process gets it.
    public static func freePort() throws -> Int {
        for _ in ports {
            let port = lastPort.withLockedValue { last in
                last = last + 1 < ports.upperBound ? last + 1 : ports.lowerBound
                return last
            }
            if isFree(port) { return port }
        }
        throw RedisServer.StartError(description: "No free port.")
    }

    private static let ports = 10_000..<32_000
    private static let lastPort = NIOLockedValueBox(Int.random(in: ports))

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, streamType, 0)
        defer { close(descriptor) }
        var address = loopback(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Sends a line and gives what comes back within a moment; nothing if nobody listens.
    public static func exchange(_ text: String, port: Int) -> String {
        converse([text], port: port, patience: 0.2)
    }

    /// Sends lines one after the other, each when the one before is answered, and gives the last answer.
    ///
    /// - Parameter patience: seconds for each answer.
    public static func converse(_ lines: [String], port: Int, patience: Double) -> String {
        connected(to: port, patience: patience) { descriptor in
            var answer = [UInt8](repeating: 0, count: 1 << 16)
            var count = 0
            for line in lines {
                guard send(descriptor, line, line.utf8.count, 0) == line.utf8.count else { return "" }
                // A process that was stopped for a moment has been interrupted.
                repeat { count = recv(descriptor, &answer, answer.count, 0) } while count < 0 && errno == EINTR
            }
            return String(decoding: answer.prefix(max(0, count)), as: UTF8.self)
        } ?? ""
    }

    static func isListening(port: Int) -> Bool {
        connected(to: port, patience: 0.2) { _ in true } ?? false
    }

    private static func connected<Value>(to port: Int, patience: Double, _ body: (Int32) -> Value) -> Value? {
        let descriptor = socket(AF_INET, streamType, 0)
        defer { close(descriptor) }
        var limit = timeval(
            tv_sec: Int(patience),
            tv_usec: .init((patience - patience.rounded(.down)) * 1_000_000)
        )
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = loopback(port: port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return result == 0 ? body(descriptor) : nil
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
