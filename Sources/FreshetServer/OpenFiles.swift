import Foundation

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

    /// How many connections may be taken, so that some files are left for the store, the sources and the rest.
    static var connections: Int {
        let all = limits.map { Int(clamping: $0.rlim_cur) } ?? 1024
        return all - min(all / 4, 256)
    }

    private static var limits: rlimit? {
        var limits = rlimit()
        return getrlimit(resource, &limits) == 0 ? limits : nil
    }
}
