/// The place in line of a thread that waits for updates of a key. Guarded by the core's lock of its cache.
///
/// Changes of a key have their turn in the order in which they came, and not before the readers who waited when the
/// last update ended have read. A thread that runs may go ahead a few times, since to wake another takes longer than most
/// updates.
final class Turn<Key: Hashable & Sendable> {
    let key: Key
    let hash: UInt32
    let isReader: Bool
    /// How many have gone ahead.
    var overtaken = 0

    static var mostOvertaken: Int { 16 }

    init(_ key: Key, _ hash: UInt32, isReader: Bool) {
        self.key = key
        self.hash = hash
        self.isReader = isReader
    }
}
