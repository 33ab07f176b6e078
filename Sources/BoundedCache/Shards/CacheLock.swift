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
