/// The queues of the entries: what is new, what was used there, and what weighs nothing. Guarded by the core's lock.
struct EntryQueues: ~Copyable {
    struct Queue {
        var newest: UInt32 = .none
        var oldest: UInt32 = .none
        var count = 0
        var weight = 0
    }

    private enum Place {
        case small, main
        /// Of what weighs nothing: to evict it would make no room.
        case weightless
    }

    let storage: SlotStorage
    private(set) var small = Queue()
    private(set) var main = Queue()
    private(set) var weightless = Queue()
    /// The entry of the main queue that ``nextOfMain()`` goes on with.
    private var hand: UInt32 = .none

    init(storage: SlotStorage) { self.storage = storage }

    var count: Int { weighedCount + weightless.count }
    var weight: Int { small.weight + main.weight }
    /// Without those that weigh nothing.
    var weighedCount: Int { small.count + main.count }
    var averageWeight: Double { weighedCount == 0 ? 1 : Double(weight) / Double(weighedCount) }

    /// Goes round the main queue, from the oldest on, an entry a call; `nil` if there is none.
    mutating func nextOfMain() -> UInt32? {
        if hand == .none { hand = main.oldest }
        guard hand != .none else { return nil }
        defer { hand = storage.links(hand).pointee.newer }
        return hand
    }

    mutating func moveToMain(_ slot: UInt32) {
        unlink(slot)
        link(slot, isMain: true)
    }

    mutating func changeWeight(of slot: UInt32, to weight: UInt32) {
        let links = storage.links(slot)
        guard (weight == 0) == (links.pointee.weight == 0) else {
            unlink(slot)
            links.pointee.weight = weight
            return link(slot, isMain: links.pointee.isMain)
        }
        self[place(of: slot)].weight += Int(weight) - Int(links.pointee.weight)
        links.pointee.weight = weight
    }

    /// The slots of all queues, of each the newest first.
    var slots: [UInt32] {
        var slots: [UInt32] = []
        for queue in [small, main, weightless] {
            var slot = queue.newest
            while slot != .none {
                slots.append(slot)
                slot = storage.links(slot).pointee.older
            }
        }
        return slots
    }

    private func place(of slot: UInt32) -> Place {
        let links = storage.links(slot)
        return links.pointee.weight == 0 ? .weightless : links.pointee.isMain ? .main : .small
    }

    private subscript(place: Place) -> Queue {
        get {
            switch place {
            case .small: small
            case .main: main
            case .weightless: weightless
            }
        }
        set {
            switch place {
            case .small: small = newValue
            case .main: main = newValue
            case .weightless: weightless = newValue
            }
        }
    }

    mutating func link(_ slot: UInt32, isMain: Bool) {
        let links = storage.links(slot)
        links.pointee.isMain = isMain
        let place = place(of: slot)
        var queue = self[place]
        links.pointee.newer = .none
        links.pointee.older = queue.newest
        if queue.newest != .none {
            storage.links(queue.newest).pointee.newer = slot
        } else {
            queue.oldest = slot
        }
        queue.newest = slot
        queue.count += 1
        queue.weight += Int(links.pointee.weight)
        self[place] = queue
    }

    mutating func unlink(_ slot: UInt32) {
        let links = storage.links(slot)
        if hand == slot { hand = links.pointee.newer }
        let place = place(of: slot)
        var queue = self[place]
        let (newer, older) = (links.pointee.newer, links.pointee.older)
        if newer != .none { storage.links(newer).pointee.older = older } else { queue.newest = older }
        if older != .none { storage.links(older).pointee.newer = newer } else { queue.oldest = newer }
        queue.count -= 1
        queue.weight -= Int(links.pointee.weight)
        self[place] = queue
    }
}
