import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What this process is called among others on the same store: host and process id.
enum NodeName {
    static var current: String {
        var bytes = [CChar](repeating: 0, count: 256)
        // The last one stays zero, which ends a name that was cut off.
        let isKnown = gethostname(&bytes, bytes.count - 1) == 0
        let host = String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return "\(isKnown && !host.isEmpty ? host : "unknown"):\(ProcessInfo.processInfo.processIdentifier)"
    }
}
