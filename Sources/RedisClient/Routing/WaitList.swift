import NIOConcurrencyHelpers
import NIOCore

/// Callers that wait for something to happen, each for a time of its own.
final class WaitList: Sendable {
    private struct State {
        var waiting: [UInt64: UnsafeContinuation<Void, Never>] = [:]
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
        let token = state.withLockedValue { state in
            state.nextToken += 1
            return state.nextToken
        }
        let timer = eventLoop.scheduleTask(deadline: deadline) { self.resume(token) }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isOpen = state.withLockedValue { state in
                    if !state.isOpen { state.waiting[token] = continuation }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
                // All of these may have come before there was anybody to resume.
                if Task.isCancelled || NIODeadline.now() >= deadline || hasHappened() { resume(token) }
            }
        } onCancel: {
            resume(token)
        }
        timer.cancel()
    }

    /// Lets everyone go who waits now.
    func resumeAll() {
        let all = state.withLockedValue { state in
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in all { continuation.resume() }
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
        if time > .zero { await WaitList(eventLoop: self).wait(until: .now() + time) }
    }
}
