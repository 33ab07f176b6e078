/// What readers get while their flight loads.
struct InterimAnswer: Sendable {
    var answer: FlightAnswer
    /// Whether all that is kept will do, and not only what is served while it is loaded again: the soft deadline is
    /// over, or a failure is remembered.
    var isLate: Bool

    /// Until when the policy lets them have it.
    func end(under policy: FieldPolicy) -> MonotonicInstant {
        let entry = answer.entry
        return isLate ? entry.staleUntil : min(entry.staleUntil, entry.freshUntil + policy.staleWhileRevalidate)
    }
}
