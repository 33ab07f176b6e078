/// The place in line of a thread that waits for updates of a key. Guarded by the core's lock of its cache.
///
/// Changes of a key have their turn in the order in which they came, and not before the readers who waited when the
/// last update ended have read.
final class Turn<Key: Hashable & Sendable> {
    let key: Key
    let hash: UInt32
    let isReader: Bool

    init(_ key: Key, _ hash: UInt32, isReader: Bool) {
        self.key = key
        self.hash = hash
        self.isReader = isReader
    }
}
