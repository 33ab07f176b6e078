/// Which entries stay: S3-FIFO with three changes.
///
/// S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson, SOSP 2023) has a small queue for what is new, a main queue for what was
/// used there, and ghosts of what was evicted. Here
/// - the ghost of a key leads into the main queue only if the key was last used clearly more recently than what the
///   main queue throws out, which is LIRS' condition (Jiang, Zhang, SIGMETRICS 2002) without its stack: it keeps loops
///   and scans from washing the main queue out, at any length of the ghosts' memory;
/// - the small queue's size adapts: a key that comes back is compared with an entry of the main queue, and the small
///   queue grows only if the main one holds what was used longer ago;
/// - uses close upon another do not count (see ``UseTime/note(_:)``).
///
/// All fields are guarded by the core's lock. A hit touches none of them.
struct EvictionPolicy: ~Copyable {
    /// The constants, chosen together over block, database, web and CDN traces and generated workloads, at capacities
    /// from 1 to 18,000 entries. None belongs to one workload; the page on the algorithm says how much each matters.
    private enum Constant {
        static let smallShareAtFirst = 0.05
        static let smallShareAtLeast = 0.01
        static let smallShareAtMost = 0.9
        /// What a ghost that left the small queue moves the border by, in average entries, if it speaks for a larger
        /// small queue, and if it speaks against.
        static let smallStep = 0.25
        static let smallRetreat = 0.05
        /// The same for one that left the main queue, both ways.
        static let mainStep = 0.4
        /// How much younger than an entry of the main queue such a ghost must be to speak for a larger small queue: those
        /// that left it last were used about when those were that stay.
        static let sampleMargin = 0.9
        /// How much longer the small queue would have to be for a ghost to vie with a used entry too, in capacities.
        static let smallReach = 0.1 * ghostsPerEntry
        /// How much older than the main queue's last victim a ghost may be to speak for that queue.
        static let mainReach = 2.0
        /// How close to each other uses count once, as a share of the small queue's length.
        static let window = 0.3
        static let ghostsPerEntry = 2.0
        /// How much younger than the main queue's last victim a ghost must be.
        static let ghostMargin = 0.5
    }

    var queues: EntryQueues
    let time: UnsafeMutablePointer<UseTime>
    var limit: Int {
        didSet {
            // What was learnt is a share of the cache.
            smallTarget *= Double(limit) / Double(max(1, oldValue))
            keepSmallTargetInBounds()
        }
    }
    private var smallTarget: Double
    /// Whether something was evicted for room; until then new entries beyond the small queue's size fill the main.
    private var isWarm = false
    private var ghosts: GhostTable?

    private var insertions = InsertionClock()
    /// When the main queue's last victim was last used, in insertions.
    private var mainVictimLastUse = 0.0

    init(storage: SlotStorage, time: UnsafeMutablePointer<UseTime>, limit: Int) {
        queues = EntryQueues(storage: storage)
        self.time = time
        self.limit = limit
        smallTarget = Double(limit) * Constant.smallShareAtFirst
        keepSmallTargetInBounds()
    }

    private mutating func keepSmallTargetInBounds() {
        let least = Double(limit) * Constant.smallShareAtLeast
        smallTarget = max(least, min(smallTarget, Double(limit) * Constant.smallShareAtMost))
    }

    /// Ticks within which another use of an entry does not count.
    var window: UInt32 {
        mutating get {
            UInt32(min(Constant.window * smallTarget / max(queues.averageWeight, 1e-9) * insertions.ticksEach, 1e8))
        }
    }

    /// Takes note that a key comes in that was not there; says whether it goes to the main queue.
    mutating func admit(_ hash: UInt32) -> Bool {
        insertions.note(at: time.pointee.advance(), entries: queues.weighedCount)
        guard let ghost = ghosts?.take(hash, now: insertions.count) else {
            return !isWarm && Double(queues.small.weight) >= smallTarget
        }
        moveBorder(by: ghost)
        return ghost.age <= mainVictimAge * Constant.ghostMargin
    }

    private var mainVictimAge: Double {
        mutating get { Double(insertions.count) - mainVictimLastUse }
    }

    /// Gives the small queue more or less room, as a ghost that came back has it.
    ///
    /// The small queue can only grow at the main one's cost. So a ghost speaks for that if the main queue holds what was
    /// used longer ago, and against it if not: in a loop the main queue has been used since, all of it.
    private mutating func moveBorder(by ghost: GhostTable.Ghost) {
        let sample = nextSample()
        let margin = ghost.leftMain ? Constant.sampleMargin : 1
        let isYounger = sample.map { ghost.age < margin * $0.age } ?? true
        var step = 0.0
        if ghost.leftMain {
            if isYounger {
                step = Constant.mainStep
            } else if ghost.age <= mainVictimAge * Constant.mainReach {
                step = -Constant.mainStep
            }
        } else {
            let missing = ghost.age - smallTarget / max(queues.averageWeight, 1e-9)
            let isNear = missing <= Constant.smallReach * Double(queues.weighedCount)
            if !isYounger || sample?.isUsed == true && !isNear {
                step = -Constant.smallRetreat
            } else if ghost.age <= Double(queues.weighedCount) {
                step = Constant.smallStep
            }
        }
        smallTarget += step * queues.averageWeight
        keepSmallTargetInBounds()
    }

    /// Of the next entry of the main queue: its insertions since the last use, and whether it has uses that it has not
    /// paid with.
    private mutating func nextSample() -> (age: Double, isUsed: Bool)? {
        guard let slot = queues.nextOfMain() else { return nil }
        let word = queues.storage.head(slot).pointee.word
        return (age(word), word.uses > 0)
    }

    private mutating func age(_ word: UseWord) -> Double { insertions.since(word.tick, now: time.pointee.now) }

    /// The entry whose turn it is to show that it was used; not `spared` while there is another.
    mutating func nextToEvict(sparing spared: UInt32) -> UInt32 {
        let (small, main) = (queues.small, queues.main)
        let mainHasAny = main.oldest != .none && (main.oldest != spared || main.newest != spared)
        if small.oldest != .none, !mainHasAny || Double(small.weight) > smallTarget { return small.oldest }
        return main.oldest != .none ? main.oldest : queues.weightless.oldest
    }

    /// Takes note that an entry is evicted.
    mutating func remember(_ hash: UInt32, _ word: UseWord, isMain: Bool) {
        isWarm = true
        let lastUse = max(0, Double(insertions.count) - age(word))
        if isMain { mainVictimLastUse = lastUse }
        let wanted = max(16, Int(Constant.ghostsPerEntry * Double(queues.weighedCount)))
        let remembered = ghosts?.capacity ?? 0
        // A table that is far too large tells ages too coarsely.
        if wanted > 2 * remembered || 4 * wanted < remembered { ghosts = GhostTable(capacity: wanted) }
        ghosts?.insert(hash, leftMain: isMain, lastUse: lastUse)
    }

    /// Forgets what was learnt of the old contents, when all are gone.
    mutating func forget() {
        isWarm = false
        ghosts = nil
        mainVictimLastUse = Double(insertions.count)
        smallTarget = Double(limit) * Constant.smallShareAtFirst
        keepSmallTargetInBounds()
    }

    /// Lets new entries fill the main queue again, after the limit was raised.
    mutating func fillAgain() {
        isWarm = false
    }

    mutating func moveTicksBack(by amount: UInt32) {
        insertions.moveTicksBack(by: amount)
    }
}
