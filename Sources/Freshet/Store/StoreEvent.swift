/// A change in how a store serves.
package enum StoreEvent: Sendable, Hashable {
    /// The circuit breaker has opened.
    case lost
    /// It has closed again.
    case back
    case refused(Refusal)
}
