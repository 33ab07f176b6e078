import Foundation
import NIOConcurrencyHelpers

/// A clock that stands still until it is moved.
final class ManualClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let current = NIOLockedValueBox(Duration.seconds(1000))

    var now: Instant { Instant(offset: current.withLockedValue { $0 }) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func advance(by duration: Duration) { current.withLockedValue { $0 += duration } }
    func sleep(until deadline: Instant, tolerance: Duration?) async throws {}
}

final class Collected<Element: Sendable>: Sendable {
    private let elements = NIOLockedValueBox<[Element]>([])
    var all: [Element] { elements.withLockedValue { $0 } }
    func append(_ element: Element) { elements.withLockedValue { $0.append(element) } }
}

final class Holder<Value: Sendable>: Sendable {
    private let content: NIOLockedValueBox<Value?>
    init(_ value: Value? = nil) { content = NIOLockedValueBox(value) }
    var value: Value? {
        get { content.withLockedValue { $0 } }
        set { content.withLockedValue { $0 = newValue } }
    }
}

final class OnDeinit: Sendable {
    private let action: @Sendable () -> Void
    init(_ action: @escaping @Sendable () -> Void) { self.action = action }
    deinit { action() }
}

/// Runs it on a thread of its own: tests that wait may hold all that there are in a pool.
func onAnotherThread(_ body: @escaping @Sendable () -> Void) {
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
        body()
        done.signal()
    }
    done.wait()
}
