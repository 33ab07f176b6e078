/// Counts insertions, and tells how many there were since a tick.
///
/// Entries note their uses in ticks, which go on with hits too. How many an insertion takes changes from one moment to the
/// next, in a loop by hundreds of times, so an average would not do: marks are kept of when a past insertion was.
struct InsertionClock {
    private struct Mark {
        var tick: UInt32
        var count: UInt64
    }

    private static let marksPerCapacity = 8
    /// As far back as ghosts are remembered: two capacities.
    private static let markCount = 2 * marksPerCapacity
    private static let smoothing = 64.0

    private(set) var count: UInt64 = 0
    /// Averaged over the last insertions.
    private(set) var ticksEach = 1.0
    private var lastTick: UInt32 = 1
    /// The newest first.
    private var marks = [Mark](repeating: Mark(tick: 0, count: 0), count: markCount)

    /// Takes note of an insertion at a tick, into a cache of so many entries.
    mutating func note(at tick: UInt32, entries: Int) {
        count += 1
        let elapsed = Double(tick - min(tick, lastTick))
        ticksEach += (elapsed - ticksEach) / min(Double(count), Self.smoothing)
        lastTick = tick
        guard count - marks[0].count >= UInt64(max(1, entries / Self.marksPerCapacity)) else { return }
        marks.removeLast()
        marks.insert(Mark(tick: tick, count: count), at: 0)
    }

    /// Insertions since a tick. O(1): looks at the marks.
    func since(_ tick: UInt32, now: UInt32) -> Double {
        guard tick < now else { return 0 }
        var later = Mark(tick: now, count: count)
        for mark in marks {
            if mark.tick <= tick {
                let share = Double(later.tick - tick) / Double(later.tick - mark.tick)
                return Double(count - later.count) + share * Double(later.count - mark.count)
            }
            later = mark
        }
        return Double(count - later.count) + Double(later.tick - tick) / max(ticksEach, 1)
    }

    mutating func moveTicksBack(by amount: UInt32) {
        lastTick -= min(lastTick, amount)
        for index in marks.indices { marks[index].tick -= min(marks[index].tick, amount) }
    }
}
