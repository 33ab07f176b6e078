import NIOConcurrencyHelpers
import NIOCore

/// Callers that wait for something to happen, each for a time of its own.
final class WaitList: Sendable {
    private struct Entry {
        let continuation: UnsafeContinuation<Void, Never>
        let timer: Scheduled<Void>

        func resume() {
            // First: whoever goes on may do so when the event loop is gone.
            timer.cancel()
            continuation.resume()
        }
    }

    private struct State {
        var waiting: [UInt64: Entry] = [:]
        var nextToken: UInt64 = 0
        var isOpen = false
    }

    private let eventLoop: any EventLoop
    private let state = NIOLockedValueBox(State())

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Returns when it happened, when the deadline is over, or when the task is cancelled.
    ///
    /// - Parameter hasHappened: looked at once more when nothing can be missed any longer.
    func wait(until deadline: NIODeadline, unless hasHappened: @Sendable () -> Bool = { false }) async {
        let token = state.withLockedValue { state -> UInt64? in
            state.nextToken += 1
            return state.isOpen ? nil : state.nextToken
        }
        // The event loop may be gone.
        guard let token else { return }
        let timer = eventLoop.scheduleTask(deadline: deadline) { self.resume(token) }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let entry = Entry(continuation: continuation, timer: timer)
                let isOpen = state.withLockedValue { state in
                    if !state.isOpen { state.waiting[token] = entry }
                    return state.isOpen
                }
                if isOpen { entry.resume() }
                // All of these may have come before there was anybody to resume.
                if Task.isCancelled || NIODeadline.now() >= deadline || hasHappened() { resume(token) }
            }
        } onCancel: {
            resume(token)
        }
    }

    /// Returns after some time, or when everyone is let go, or when the task is cancelled.
    func pause(_ time: TimeAmount) async {
        if time > .zero { await wait(until: .now() + time) }
    }

    /// Lets everyone go who waits now.
    func resumeAll() {
        let all = state.withLockedValue { state in
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for entry in all { entry.resume() }
    }

    /// Lets everyone go, and nobody wait from now on.
    func open() {
        state.withLockedValue { $0.isOpen = true }
        resumeAll()
    }

    private func resume(_ token: UInt64) {
        state.withLockedValue { $0.waiting.removeValue(forKey: token) }?.resume()
    }
}

extension EventLoop {
    /// Returns after some time, or when the task is cancelled.
    func pause(_ time: TimeAmount) async {
        await WaitList(eventLoop: self).pause(time)
    }
}
