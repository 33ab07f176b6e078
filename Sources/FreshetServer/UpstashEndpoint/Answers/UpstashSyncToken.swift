import Synchronization

/// An opaque mark that every write changes.
final class UpstashSyncToken: Sendable {
    /// Tells this run of the endpoint from others.
    private let run = String(UInt64.random(in: .min ... .max), radix: 36)
    private let writes = Atomic<UInt64>(0)

    func current(afterWrite: Bool) -> String {
        let count =
            afterWrite
            ? writes.wrappingAdd(1, ordering: .relaxed).newValue : writes.load(ordering: .relaxed)
        return "\(run)=\(String(count, radix: 36))"
    }
}
