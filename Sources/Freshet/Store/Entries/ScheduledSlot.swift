/// The time from one tick of a field's schedule to the next, for which one process loads.
public struct ScheduledSlot: Sendable, Hashable {
    /// When it begins, since 1970 by the store's clock, to the millisecond. The same in all processes.
    public var start: Duration
    /// Time since the last read that the asking process knows of.
    public var lastRead: Duration?
    /// After how long without a read, anywhere, the slot is left out; zero never leaves it out. Counts from the first
    /// slot that was asked for.
    public var idleAfter: Duration
    /// How long the store is to remember the slot and the last read.
    public var keepFor: Duration

    public init(start: Duration, lastRead: Duration? = nil, idleAfter: Duration, keepFor: Duration) {
        self.start = start
        self.lastRead = lastRead
        self.idleAfter = idleAfter
        self.keepFor = keepFor
    }

    /// By how much the last read may be later than the store knows, so that it is not written at every read.
    package var idleMargin: Duration { idleAfter / 8 }
}
