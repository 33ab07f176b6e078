package import NIOCore

extension TimeAmount {
    /// A duration, cut to what is not likely to be waited for in vain: a year.
    package init(clamping duration: Duration) {
        let year = Duration.seconds(365 * 24 * 3600)
        let (seconds, attoseconds) = min(max(duration, .zero), year).components
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
