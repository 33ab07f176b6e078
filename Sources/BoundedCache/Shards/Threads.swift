#if canImport(Darwin)
internal import Darwin
#elseif canImport(Musl)
internal import Musl
#else
internal import Glibc
#endif

/// Names the calling thread among those that run.
func currentThread() -> UInt {
    #if canImport(Darwin) || canImport(Musl)
    UInt(bitPattern: pthread_self())
    #else
    UInt(pthread_self())
    #endif
}

func processorCount() -> Int {
    max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}

/// The number of the processor that runs the calling thread, or any number that threads rarely share.
let currentProcessor: @convention(c) () -> Int32 = {
    #if os(Linux) && !canImport(Musl)
    // By name, since Swift's Glibc module does not show it.
    if let symbol = dlsym(nil, "sched_getcpu") {
        return unsafeBitCast(symbol, to: (@convention(c) () -> Int32).self)
    }
    #endif
    return { Int32(truncatingIfNeeded: (UInt64(currentThread()) &* 0x9E37_79B9_7F4A_7C15) >> 33) }
}()

/// A number of each thread's own.
///
/// Unchecked, since the key is written by `init` alone, and what it leads to is of the calling thread.
final class ThreadLocalCount: @unchecked Sendable {
    private var key = pthread_key_t()

    init() { pthread_key_create(&key, nil) }

    deinit { pthread_key_delete(key) }

    var value: Int {
        get { Int(bitPattern: pthread_getspecific(key)) }
        set { pthread_setspecific(key, UnsafeRawPointer(bitPattern: newValue)) }
    }
}
