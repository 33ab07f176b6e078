import NIOConcurrencyHelpers

/// Whoever wants to know when the place for subscriptions may be another.
final class ChangeNotice: Sendable {
    private let action = NIOLockedValueBox<(@Sendable (_ isGap: Bool) -> Void)?>(nil)

    /// - Parameter action: told whether a primary is one no longer: what it published last may not have come.
    func set(_ action: @escaping @Sendable (_ isGap: Bool) -> Void) { self.action.withLockedValue { $0 = action } }

    func tell(isGap: Bool) { action.withLockedValue({ $0 })?(isGap) }
}
