import Dispatch
import Synchronization
import Testing

@testable import BoundedCache

@Suite struct CacheLockTests {
    final class Lock: @unchecked Sendable {
        let lock = CacheLock()
        let isTaken = Atomic(false)
    }

    /// Another thread's turn comes though this one takes the lock again at once, time after time. Most of the rounds
    /// may fall to a processor that has something else to do.
    @Test func whoTakesItAgainAtOnceLetsOthersGoFirst() {
        var takes: [Int] = []
        for _ in 0..<31 {
            let shared = Lock()
            shared.lock.lock()
            let group = DispatchGroup()
            DispatchQueue.global().async(group: group) {
                shared.lock.lock()
                shared.isTaken.store(true, ordering: .relaxed)
                shared.lock.unlock()
            }
            while shared.lock.waiters.load(ordering: .relaxed) == 0 {}
            shared.lock.unlock()
            var count = 0
            while !shared.isTaken.load(ordering: .relaxed) {
                shared.lock.lock()
                count += 1
                for _ in 0..<50 where shared.isTaken.load(ordering: .relaxed) { break }
                shared.lock.unlock()
            }
            group.wait()
            takes.append(count)
        }
        #expect(takes.sorted()[takes.count / 4] <= 3, "\(takes)")
    }
}
