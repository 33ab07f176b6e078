public import Synchronization

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Musl)
internal import Musl
#else
internal import Glibc
#endif

/// A small lock: one compare-and-swap to take it when it is free, one plain store to give it back.
///
/// Holders need less than a microsecond; so who finds it held spins, then lets other threads run, which also lets a
/// holder go on that lost its processor, and only then sleeps, for a little while at a time. Nobody has to be woken:
/// giving it back needs no second locked instruction, which would hold up the loads of whatever comes next.
///
/// It is not fair, which is what keeps many threads on one shard from marching in step. But who has waited for longer
/// than a spin says so, and those who come then let it go first, so that no loop of readers keeps a writer out.
@usableFromInline
struct CacheLock: ~Copyable {
    @usableFromInline let isHeld = Atomic<Bool>(false)
    /// Those who have waited for longer than a spin.
    @usableFromInline let waiters = Atomic<UInt32>(0)

    @usableFromInline
    init() {}

    @inlinable
    func lock() {
        if waiters.load(ordering: .relaxed) != 0 || !tryLock() { lockContended() }
    }

    @inlinable
    func tryLock() -> Bool {
        isHeld.compareExchange(
            expected: false,
            desired: true,
            successOrdering: .acquiring,
            failureOrdering: .relaxed
        ).exchanged
    }

    /// The fence is for the compiler, to which a store, though it be a releasing one, is no reason not to move the
    /// retain of a value that was read behind it. On x86 it costs nothing.
    @inlinable
    func unlock() {
        atomicMemoryFence(ordering: .releasing)
        isHeld.store(false, ordering: .releasing)
    }

    @usableFromInline
    func lockContended() {
        // Not for ever: one of them may have no processor.
        for _ in 0..<8 where waiters.load(ordering: .relaxed) != 0 { sched_yield() }
        if spin() { return }
        waiters.add(1, ordering: .relaxed)
        defer { waiters.subtract(1, ordering: .relaxed) }
        for _ in 0..<64 {
            sched_yield()
            if spin() { return }
        }
        // Whoever holds it so long goes through the whole cache, or has no processor.
        while !spin() { usleep(100) }
    }

    private func spin() -> Bool {
        for _ in 0..<100 where !isHeld.load(ordering: .relaxed) {
            if tryLock() { return true }
        }
        return false
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
final class ThreadLocalCount: @unchecked Sendable {
    private var key = pthread_key_t()

    init() { pthread_key_create(&key, nil) }

    deinit { pthread_key_delete(key) }

    var value: Int {
        get { Int(bitPattern: pthread_getspecific(key)) }
        set { pthread_setspecific(key, UnsafeRawPointer(bitPattern: newValue)) }
    }
}
