/// The last so many events. One that is like the last one is counted there.
struct EventRing: Sendable {
    private let capacity: Int
    private var slots: [FieldEvent] = []
    /// Where the next one goes once the ring is full: the oldest.
    private var next = 0

    init(capacity: Int) { self.capacity = max(1, capacity) }

    mutating func add(_ event: FieldEvent) {
        let last = slots.isEmpty ? nil : (next + slots.count - 1) % slots.count
        if let last, slots[last].kind == event.kind {
            let count = slots[last].count + event.count
            slots[last] = event
            slots[last].count = count
        } else if slots.count < capacity {
            slots.append(event)
        } else {
            slots[next] = event
            next = (next + 1) % capacity
        }
    }

    /// Oldest first.
    var events: [FieldEvent] { Array(slots[next...] + slots[..<next]) }
}
