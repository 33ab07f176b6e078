import Synchronization

/// How many commands of a pipeline are under way together, so that not all replies are in memory at once: as many as the
/// replies before let expect a mebibyte of, be they of this pipeline or of another.
final class PipelinePieces: Sendable {
    private static let bytes = 1 << 20
    private static let largest = 512
    /// Commands in the first piece of a pipeline, at most.
    private static let largestFirst = 128
    /// By how much they grow at most.
    private static let growth = 16

    private let nextFirst = Atomic(8)

    var first: Int { nextFirst.load(ordering: .relaxed) }

    /// The size after a piece whose replies have so many bytes.
    func size(after count: Int, _ bytes: Int) -> Int {
        let fitting = max(1, count * Self.bytes / max(1, bytes))
        let size = min(fitting, Self.growth * count, Self.largest)
        // A short pipeline is no reason to begin with less than before.
        nextFirst.store(min(fitting, max(first, size), Self.largestFirst), ordering: .relaxed)
        return size
    }
}
