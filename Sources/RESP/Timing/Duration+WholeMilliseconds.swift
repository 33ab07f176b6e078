extension Duration {
    /// Rounded up, so that no time at all does not become "now" by mistake; at most a hundred years.
    var wholeMilliseconds: Int {
        let limited = min(max(self, .milliseconds(1)), .seconds(100 * 365 * 86_400))
        let (seconds, attoseconds) = limited.components
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
