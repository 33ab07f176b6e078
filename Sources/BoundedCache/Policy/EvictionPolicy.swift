/// Which entries stay: S3-FIFO with three changes.
///
/// S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson, SOSP 2023) has a small queue for what is new, a main queue for what was
/// used there, and ghosts of what was evicted. Here
/// - the ghost of a key leads into the main queue only if the key was last used clearly more recently than what the
///   main queue throws out, which is LIRS' condition (Jiang, Zhang, SIGMETRICS 2002) without its stack: it keeps loops
///   and scans from washing the main queue out, at any length of the ghosts' memory;
/// - the small queue's size adapts: it grows when a key comes back that a somewhat larger one would have kept, and
///   shrinks when a key comes back that left the main queue;
/// - uses close upon another do not count (see ``UseTime/note(_:)``).
///
/// All fields are guarded by the core's lock. A hit touches none of them.
struct EvictionPolicy: ~Copyable {
    /// The constants, chosen together over block, database, web and CDN traces and generated zipf, scan, loop, burst
    /// and shift workloads, at capacities from 64 to 18,000 entries. None belongs to one workload; the page on the
    /// algorithm says how much each matters.
    private enum Constant {
        static let smallShareAtFirst = 0.05
        static let smallShareAtLeast = 0.01
        static let smallShareAtMost = 0.6
        /// In average entries, for each ghost that speaks for or against.
        static let smallStep = 0.2
        /// How much longer the small queue would have to be for a ghost to speak for it, in capacities.
        static let smallReach = 0.1 * ghostsPerEntry
        /// Of the small queue's length.
        static let window = 0.3
        static let ghostsPerEntry = 2.0
        /// How much younger than the main queue's last victim a ghost must be.
        static let ghostMargin = 0.6
        static let ticksPerInsertionSmoothing = 64.0
    }

    struct Queue {
        var newest: UInt32 = .none
        var oldest: UInt32 = .none
        var weight = 0
    }

    let storage: SlotStorage
    let time: UnsafeMutablePointer<UseTime>
    var limit: Int { didSet { keepSmallTargetInBounds() } }
    private(set) var count = 0
    private var small = Queue()
    private var main = Queue()
    private var smallTarget: Double
    /// Whether something was evicted for room; until then new entries beyond the small queue's size fill the main.
    private var isWarm = false
    private var ghosts: GhostTable?

    private var insertions: UInt64 = 0
    private var tickOfLastInsertion: UInt32 = 1
    private var ticksPerInsertion = 1.0
    /// When the main queue's last victim was last used, in insertions.
    private var mainVictimLastUse = 0.0

    init(storage: SlotStorage, time: UnsafeMutablePointer<UseTime>, limit: Int) {
        self.storage = storage
        self.time = time
        self.limit = limit
        smallTarget = Double(limit) * Constant.smallShareAtFirst
        keepSmallTargetInBounds()
    }

    var weight: Int { small.weight + main.weight }

    private var averageWeight: Double { count == 0 ? 1 : Double(weight) / Double(count) }

    private mutating func keepSmallTargetInBounds() {
        let least = max(averageWeight, Double(limit) * Constant.smallShareAtLeast)
        smallTarget = max(least, min(smallTarget, Double(limit) * Constant.smallShareAtMost))
    }

    /// Ticks within which another use of an entry does not count.
    var window: UInt32 {
        UInt32(min(Constant.window * smallTarget / max(averageWeight, 1e-9) * ticksPerInsertion, 1e8))
    }

    /// Takes note that a key comes in that was not there; says whether it goes to the main queue.
    mutating func admit(_ hash: UInt32) -> Bool {
        insertions += 1
        let tick = time.pointee.advance()
        let elapsed = Double(tick - min(tick, tickOfLastInsertion))
        ticksPerInsertion +=
            (elapsed - ticksPerInsertion) / min(Double(insertions), Constant.ticksPerInsertionSmoothing)
        tickOfLastInsertion = tick
        guard let ghost = ghosts?.take(hash, now: insertions) else {
            return !isWarm && Double(small.weight) >= smallTarget
        }
        if ghost.leftMain {
            smallTarget -= Constant.smallStep * averageWeight
        } else {
            let entriesInSmall = smallTarget / max(averageWeight, 1e-9)
            if ghost.age - entriesInSmall <= Constant.smallReach * Double(count) {
                smallTarget += Constant.smallStep * averageWeight
            }
        }
        keepSmallTargetInBounds()
        return ghost.age <= (Double(insertions) - mainVictimLastUse) * Constant.ghostMargin
    }

    mutating func link(_ slot: UInt32, isMain: Bool) {
        count += 1
        push(slot, isMain)
    }

    mutating func unlink(_ slot: UInt32) {
        count -= 1
        pop(slot)
    }

    mutating func moveToMain(_ slot: UInt32) {
        pop(slot)
        push(slot, true)
    }

    mutating func changeWeight(of slot: UInt32, to weight: UInt32) {
        let links = storage.links(slot)
        let isMain = links.pointee.isMain
        let difference = Int(weight) - Int(links.pointee.weight)
        links.pointee.weight = weight
        if isMain { main.weight += difference } else { small.weight += difference }
    }

    /// The entry whose turn it is to show that it was used; not `spared` while there is another.
    func candidate(sparing spared: UInt32) -> UInt32 {
        let mainHasAny = main.oldest != .none && (main.oldest != spared || main.newest != spared)
        if small.oldest != .none, !mainHasAny || Double(small.weight) > smallTarget { return small.oldest }
        return main.oldest
    }

    /// Takes note that a candidate was evicted.
    mutating func remember(_ hash: UInt32, _ word: UseWord, isMain: Bool) {
        isWarm = true
        let tick = time.pointee.now
        let ticks = Double(tick - min(tick, word.tick))
        let lastUse = max(0, Double(insertions) - ticks / max(ticksPerInsertion, 1))
        if isMain { mainVictimLastUse = lastUse }
        let wanted = max(16, Int(Constant.ghostsPerEntry * Double(count)))
        if wanted > 2 * (ghosts?.capacity ?? 0) { ghosts = GhostTable(capacity: wanted) }
        ghosts?.insert(hash, leftMain: isMain, lastUse: lastUse)
    }

    /// Forgets what was learnt of the old contents, when all are gone.
    mutating func forget() {
        isWarm = false
        ghosts = nil
        mainVictimLastUse = Double(insertions)
        smallTarget = Double(limit) * Constant.smallShareAtFirst
        keepSmallTargetInBounds()
    }

    /// Lets new entries fill the main queue again, after the limit was raised.
    mutating func warmUp() {
        isWarm = false
    }

    mutating func moveTicksBack(by amount: UInt32) {
        tickOfLastInsertion -= min(tickOfLastInsertion, amount)
    }

    /// The slots of a queue, the newest first.
    func slots(isMain: Bool) -> [UInt32] {
        var slots: [UInt32] = []
        var slot = isMain ? main.newest : small.newest
        while slot != .none {
            slots.append(slot)
            slot = storage.links(slot).pointee.older
        }
        return slots
    }

    private mutating func push(_ slot: UInt32, _ isMain: Bool) {
        var queue = isMain ? main : small
        let links = storage.links(slot)
        links.pointee.isMain = isMain
        links.pointee.newer = .none
        links.pointee.older = queue.newest
        if queue.newest != .none {
            storage.links(queue.newest).pointee.newer = slot
        } else {
            queue.oldest = slot
        }
        queue.newest = slot
        queue.weight += Int(links.pointee.weight)
        if isMain { main = queue } else { small = queue }
    }

    private mutating func pop(_ slot: UInt32) {
        let links = storage.links(slot)
        let isMain = links.pointee.isMain
        var queue = isMain ? main : small
        let (newer, older) = (links.pointee.newer, links.pointee.older)
        if newer != .none { storage.links(newer).pointee.older = older } else { queue.newest = older }
        if older != .none { storage.links(older).pointee.newer = newer } else { queue.oldest = newer }
        queue.weight -= Int(links.pointee.weight)
        if isMain { main = queue } else { small = queue }
    }
}
