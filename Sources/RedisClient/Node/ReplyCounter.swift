import Synchronization

/// Replies that came since the count of commands in flight was brought up to date, which is done once a read.
///
/// Written on the event loop only; whoever got a reply sees it counted.
final class ReplyCounter: Sendable {
    private let replies = Atomic<Int>(0)

    var count: Int { replies.load(ordering: .relaxed) }

    func add() {
        // One writer, so that no atomic addition is needed.
        replies.store(count &+ 1, ordering: .relaxed)
    }

    func take() -> Int {
        let count = count
        replies.store(0, ordering: .relaxed)
        return count
    }
}
