import BoundedCache

/// What is remembered of keys for a while. Pure.
///
/// Holds no more than ``capacity`` keys, whoever names them: what is over goes first, then what will be over first.
/// Takes constant time, amortised.
struct KeyMemory<Value: Sendable>: Sendable {
    private struct Memory: Sendable {
        var value: Value
        let end: MonotonicInstant
    }

    let capacity: Int
    private var memories: [ExactKey: Memory] = [:]

    init(capacity: Int = 8192) { self.capacity = max(2, capacity) }

    var count: Int { memories.count }

    /// What is remembered of a key.
    func value(of key: String, at now: MonotonicInstant) -> Value? {
        memories[key].flatMap { now < $0.end ? $0.value : nil }
    }

    /// - Returns: what may be remembered no longer, for callers who hold a lock that its destructors must not run under.
    @discardableResult
    mutating func remember(
        _ value: Value,
        of key: String,
        until end: MonotonicInstant,
        at now: MonotonicInstant
    ) -> [Value] {
        let memory = Memory(value: value, end: end)
        if let former = memories.updateValue(memory, forKey: ExactKey(key)) { return [former.value] }
        guard memories.count > capacity else { return [] }
        let former = memories
        memories = former.filter { now < $0.value.end }
        guard memories.count > capacity / 2 else { return former.values.map(\.value) }
        for (key, _) in memories.sorted(by: { $0.value.end < $1.value.end }).prefix(memories.count - capacity / 2) {
            memories[key] = nil
        }
        return former.values.map(\.value)
    }

    /// Changes what is remembered, and not for how long.
    mutating func change(_ key: String, _ body: (inout Value) -> Void) {
        guard var memory = memories[key] else { return }
        body(&memory.value)
        memories[key] = memory
    }

    /// - Returns: what was remembered.
    @discardableResult
    mutating func forget(_ key: String) -> [Value] {
        memories.removeValue(forKey: ExactKey(key)).map { [$0.value] } ?? []
    }
}
