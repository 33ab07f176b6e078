internal import Synchronization

/// Hands out slots of a storage and takes them back. Guarded by the policy's lock.
struct SlotAllocator {
    let storage: SlotStorage
    let entryAlignment: Int
    let keepsLimits: Bool
    private var segmentCount = 0
    /// Slots handed out at least once.
    private(set) var used: UInt32 = 0
    private var firstFree: UInt32 = .none

    init(storage: SlotStorage, entryAlignment: Int, keepsLimits: Bool) {
        self.storage = storage
        self.entryAlignment = entryAlignment
        self.keepsLimits = keepsLimits
    }

    func deallocate() {
        for number in 0..<segmentCount {
            let segment = storage.segments[number]
            segment.entries.deallocate()
            segment.links.deallocate()
            segment.deadlines.deallocate()
            segment.limits?.deallocate()
        }
        storage.segments.deallocate()
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
                entries: .allocate(byteCount: size * storage.entryStride, alignment: max(64, entryAlignment)),
                links: .allocate(capacity: size),
                deadlines: .allocate(capacity: size),
                limits: keepsLimits ? .allocate(capacity: size) : nil
            )
        )
        segmentCount += 1
    }
}
