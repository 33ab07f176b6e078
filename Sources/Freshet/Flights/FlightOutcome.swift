/// How a flight ended, for one of those who waited.
enum FlightOutcome: Sendable {
    case answered(FlightAnswer)
    /// The load failed. `kept` is what the policy lets a reader have nonetheless who had come by an instant: the key may
    /// have been invalidated since.
    case failed(CacheError, kept: Entry?, until: MonotonicInstant = .distantFuture)
    /// The one who waited was cancelled.
    case cancelled
}

struct FlightAnswer: Sendable {
    enum Origin: Sendable, Hashable {
        case cached(FieldReading.Tier)
        case loaded(isStored: Bool)
    }

    var entry: Entry
    var origin: Origin
    /// A forced load that had begun shortly before answers.
    var isCooldown = false
    /// The source failed or is left alone after a failure; this is what there was.
    var sourceFailed = false
    /// For those who force: why the store, and so other processes, cannot be told, now or later.
    var refusal: CacheError?
    /// Until when one must have come to be answered with it: what has overtaken its load may be older than who came
    /// later.
    var answersUntil = MonotonicInstant.distantFuture
    /// When its load began, if this process has run it.
    var begunAt: MonotonicInstant?
}
