public import Synchronization

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Musl)
internal import Musl
#else
internal import Glibc
#endif

/// A small lock: one compare-and-swap when free, a short spin when held, then sleep.
///
/// Holders need less than a microsecond, and to put a thread to sleep and wake it costs a virtual machine 20 of them;
/// so waiters first let other threads run instead, which also lets a holder go on that lost its processor.
///
/// The word is 0 (free), 1 (held) or 2 (held, and someone may sleep), after Drepper, "Futexes are tricky" (2011); the
/// sleeping is left to a pthread mutex and condition, so that it works wherever pthreads do. It is not fair: a
/// running thread may take it before a woken one, which is what keeps many threads on one shard from marching in
/// step.
@usableFromInline
struct CacheLock: ~Copyable {
    @usableFromInline let word = Atomic<UInt32>(0)
    @usableFromInline let bed = UnsafeMutablePointer<Bed>.allocate(capacity: 1)

    @usableFromInline
    struct Bed {
        var mutex = pthread_mutex_t()
        var condition = pthread_cond_t()
    }

    @usableFromInline
    init() {
        bed.initialize(to: Bed())
        pthread_mutex_init(&bed.pointee.mutex, nil)
        pthread_cond_init(&bed.pointee.condition, nil)
    }

    deinit {
        pthread_cond_destroy(&bed.pointee.condition)
        pthread_mutex_destroy(&bed.pointee.mutex)
        bed.deallocate()
    }

    @inlinable
    func lock() {
        if !tryLock() { lockContended() }
    }

    @inlinable
    func tryLock() -> Bool {
        word.compareExchange(expected: 0, desired: 1, successOrdering: .acquiring, failureOrdering: .relaxed).exchanged
    }

    @inlinable
    func unlock() {
        if word.exchange(0, ordering: .releasing) == 2 { wake() }
    }

    @usableFromInline
    func lockContended() {
        for _ in 0..<64 {
            for _ in 0..<100 where word.load(ordering: .relaxed) == 0 {
                if tryLock() { return }
            }
            sched_yield()
        }
        pthread_mutex_lock(&bed.pointee.mutex)
        while word.exchange(2, ordering: .acquiring) != 0 {
            pthread_cond_wait(&bed.pointee.condition, &bed.pointee.mutex)
        }
        pthread_mutex_unlock(&bed.pointee.mutex)
    }

    @usableFromInline
    func wake() {
        pthread_mutex_lock(&bed.pointee.mutex)
        pthread_cond_signal(&bed.pointee.condition)
        pthread_mutex_unlock(&bed.pointee.mutex)
    }
}

/// Lets threads sleep until something they looked at under another lock may have changed.
final class WaitingRoom: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var round: UInt64 = 0

    init() {
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// The round to wait out; ask while the lock that guards the condition is held.
    func currentRound() -> UInt64 {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return round
    }

    func wait(outRound seen: UInt64) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while round == seen { pthread_cond_wait(condition, mutex) }
    }

    func callEveryone() {
        pthread_mutex_lock(mutex)
        round &+= 1
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }
}

/// Names the calling thread among those that run.
func currentThread() -> UInt {
    #if canImport(Darwin)
    UInt(bitPattern: pthread_self())
    #elseif canImport(Musl)
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
final class ThreadLocalCount: @unchecked Sendable {
    private var key = pthread_key_t()

    init() { pthread_key_create(&key, nil) }

    deinit { pthread_key_delete(key) }

    var value: Int {
        get { Int(bitPattern: pthread_getspecific(key)) }
        set { pthread_setspecific(key, UnsafeRawPointer(bitPattern: newValue)) }
    }
}
