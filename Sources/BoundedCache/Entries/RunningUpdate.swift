/// An update whose closure may be running. Guarded by the core's lock of its cache.
final class RunningUpdate<Key: Hashable & Sendable, Value: Sendable>: DraftOriginal<Value> {
    let cache: BoundedCache<Key, Value>
    let key: Key
    let hash: UInt32
    let thread = currentThread()
    /// What the first write of the key by another way did with what was there; nil where there was none.
    var rivalCause: EvictionCause?
    /// Whether the closure itself has written it so.
    var isReentrant = false
    /// The entry's slot while its value is out of it; its key is still there.
    var taken = UInt32.none
    /// The key of that entry once it left, or has another: it is released under no lock.
    var keyOfEntry: Key?
    /// Whether another thread has stored a value in its place, while it was out.
    var hasSuccessor = false
    /// Why that entry left meanwhile. It counts as gone when the update ends without it.
    var lost: EvictionCause?

    init(_ cache: BoundedCache<Key, Value>, _ key: Key, _ hash: UInt32) {
        self.cache = cache
        self.key = key
        self.hash = hash
    }

    override func takeOut() { cache.takeOut(self) }
}

/// Whether the calling thread is inside an update of any cache. Such a thread waits for no update: two that waited for
/// each other would never go on.
enum UpdatingThread {
    private static let depth = ThreadLocalCount()

    static var isInside: Bool { depth.value > 0 }
    static func enter() { depth.value += 1 }
    static func leave() { depth.value -= 1 }
}
