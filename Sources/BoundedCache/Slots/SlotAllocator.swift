internal import Synchronization

/// Hands out slots of a storage and takes them back. Guarded by the core's lock.
struct SlotAllocator {
    let storage: SlotStorage
    let slotAlignment: Int
    let keepsLimits: Bool
    private var segmentCount = 0
    /// Slots handed out at least once.
    private(set) var used: UInt32 = 0
    private var firstFree: UInt32 = .none

    init(storage: SlotStorage, slotAlignment: Int, keepsLimits: Bool) {
        self.storage = storage
        self.slotAlignment = slotAlignment
        self.keepsLimits = keepsLimits
    }

    func deallocate() {
        for number in 0..<segmentCount { deallocateSegment(number) }
        storage.segments.deallocate()
    }

    private func deallocateSegment(_ number: Int) {
        let segment = storage.segments[number]
        segment.slots.deallocate()
        segment.links.deallocate()
        segment.deadlines.deallocate()
        segment.limits?.deallocate()
    }

    var hasSeveralSegments: Bool { segmentCount > 1 }

    /// No slot is in use.
    mutating func freeAllButFirstSegment() {
        for number in 1..<segmentCount { deallocateSegment(number) }
        segmentCount = 1
        used = 0
        firstFree = .none
    }

    /// A slot whose head, key and value are to be filled in; `nil` when 2^31 - 1 are in use.
    mutating func allocate(weight: UInt32, deadline: UInt64) -> UInt32? {
        let slot: UInt32
        if firstFree != .none {
            slot = firstFree
            firstFree = storage.links(slot).pointee.older
        } else {
            guard used < .none else { return nil }
            slot = used
            if SlotStorage.locate(slot).segment == segmentCount { addSegment() }
            used += 1
        }
        storage.links(slot).initialize(to: SlotLinks(weight: weight))
        storage.setDeadline(slot, deadline)
        return slot
    }

    mutating func free(_ slot: UInt32) {
        storage.setDeadline(slot, .max)
        storage.links(slot).pointee.older = firstFree
        firstFree = slot
    }

    private mutating func addSegment() {
        let size = 1 << (segmentCount + SlotStorage.firstBits)
        (storage.segments + segmentCount).initialize(
            to: SlotStorage.Segment(
                slots: .allocate(byteCount: size * storage.slotStride, alignment: max(64, slotAlignment)),
                links: .allocate(capacity: size),
                deadlines: .allocate(capacity: size),
                limits: keepsLimits ? .allocate(capacity: size) : nil
            )
        )
        segmentCount += 1
    }
}
