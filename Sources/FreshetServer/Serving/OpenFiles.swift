import Foundation
import NIOCore

#if canImport(Glibc)
private let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
#else
private let resource = RLIMIT_NOFILE
#endif

/// How many files, connections among them, the process may have open.
package enum OpenFiles {
    /// Raises the limit to what the process may give itself.
    package static func raiseLimit() {
        guard var limits else { return }
        #if canImport(Darwin)
        // More is refused, whatever the hard limit says.
        limits.rlim_cur = min(limits.rlim_max, rlim_t(OPEN_MAX))
        #else
        limits.rlim_cur = limits.rlim_max
        #endif
        _ = setrlimit(resource, &limits)
    }

    /// How many connections may be taken.
    static var connections: Int {
        connections(
            of: limits.map { Int(clamping: $0.rlim_cur) } ?? 1024,
            loops: NIOSingletons.groupLoopCountSuggestion
        )
    }

    /// Some files are left for the store, the sources and the rest: libdispatch ends a process that has none.
    ///
    /// - Parameter loops: event loops, which have three files each.
    static func connections(of files: Int, loops: Int) -> Int {
        max(1, files - min(files / 2, 256) - 3 * loops)
    }

    private static var limits: rlimit? {
        var limits = rlimit()
        return getrlimit(resource, &limits) == 0 ? limits : nil
    }
}
