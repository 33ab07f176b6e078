/// Which failures are logged: of each kind the first, and one every ten seconds while it lasts.
struct FailureLog {
    private struct Kind: Hashable {
        let operation: StoreOperation
        let code: CacheError.Code
    }

    static var interval: Duration { .seconds(10) }

    private var last: [Kind: (instant: MonotonicInstant, silenced: Int)] = [:]

    /// - Returns: how many of its kind have not been logged since the last one was; nil if this one should not be
    ///   either.
    mutating func admit(_ operation: StoreOperation, _ code: CacheError.Code, at now: MonotonicInstant) -> Int? {
        let kind = Kind(operation: operation, code: code)
        if let (instant, silenced) = last[kind], now - instant < Self.interval {
            last[kind] = (instant, silenced + 1)
            return nil
        }
        return last.updateValue((now, 0), forKey: kind)?.silenced ?? 0
    }
}
