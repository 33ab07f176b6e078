/// How a flight ended, for one of those who waited.
enum FlightOutcome: Sendable {
    case answered(FlightAnswer)
    /// The load failed. Readers who had come by `until` may have `kept`, if the policy lets them; for later ones the key may
    /// have been invalidated.
    case failed(CacheError, kept: Entry?, until: MonotonicInstant = .distantFuture)
    /// The one who waited was cancelled.
    case cancelled

    /// The same beside a forced load: what the store had been asked for before that began is for those who had come by
    /// then.
    func bounded(byForcedLoadAt instant: MonotonicInstant) -> FlightOutcome {
        switch self {
        case .answered(var answer) where answer.begunAt == nil && answer.entry.checkedAt <= instant:
            answer.answersUntil = min(answer.answersUntil, instant)
            return .answered(answer)
        case .failed(let error, let kept?, let until) where kept.checkedAt <= instant:
            return .failed(error, kept: kept, until: min(until, instant))
        default: return self
        }
    }
}

struct FlightAnswer: Sendable {
    enum Origin: Sendable, Hashable {
        case cached(FieldReading.Tier)
        case loaded(isStored: Bool)
    }

    var entry: Entry
    var origin: Origin
    /// A load of this process has brought it, to be kept, and was not overtaken as far as it and the store know.
    var isCurrent = false
    /// A forced load that had begun shortly before answers.
    var isCooldown = false
    /// The source failed or is left alone after a failure; this is what there was.
    var sourceFailed = false
    /// For those who force: why the store, and so other processes, cannot be told, now or later.
    var refusal: CacheError?
    /// It answers those who had come by then: whoever came later may have come after an invalidation, not heard of, that
    /// overtook the load.
    var answersUntil = MonotonicInstant.distantFuture
    /// When its load began, if this process has run it.
    var begunAt: MonotonicInstant?
}
