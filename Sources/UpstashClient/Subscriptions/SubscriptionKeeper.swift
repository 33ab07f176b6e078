import AsyncHTTPClient
import HTTPAsking
import Logging
import NIOCore
import RESP

/// Keeps the streams of one subscription, one for each target, and makes them again when they are lost. Lives on one
/// event loop.
final class SubscriptionKeeper {
    private let tools: SubscriptionTools
    private let writer: SubscriptionWriter
    private var links: [SubscriptionTarget: SubscriptionLink]
    /// The caller that waits for the first confirmation.
    private var waiting: UnsafeContinuation<Void, any Error>?
    private var waitsUntil = NIODeadline.distantFuture
    private var wasComplete = false
    /// Why it is interrupted, as far as that was logged; empty while it is not.
    private var reasons: Set<UpstashError.Code?> = []
    /// Why it has ended.
    private var end: (any Error)?
    private var lastFailure: (any Error)?

    init(targets: Set<SubscriptionTarget>, writer: SubscriptionWriter, _ tools: SubscriptionTools) {
        self.tools = tools
        self.writer = writer
        links = Dictionary(uniqueKeysWithValues: targets.map { ($0, SubscriptionLink()) })
    }

    /// Asks it from any thread.
    struct Handle: Sendable {
        private let keeper: NIOLoopBoundBox<SubscriptionKeeper>
        private let eventLoop: any EventLoop

        init(_ keeper: sending SubscriptionKeeper, eventLoop: any EventLoop) {
            self.keeper = .makeBoxSendingValue(keeper, eventLoop: eventLoop)
            self.eventLoop = eventLoop
        }

        func start(_ continuation: UnsafeContinuation<Void, any Error>) {
            eventLoop.execute { keeper.value.start(continuation) }
        }

        /// - Parameter error: for a caller that still waits; `nil` says that the client was closed.
        func close(_ error: UpstashError?) {
            eventLoop.execute { keeper.value.close(error ?? UpstashError(.closed, "The client was closed.")) }
        }
    }

    private func start(_ continuation: UnsafeContinuation<Void, any Error>) {
        if let end { return continuation.resume(throwing: end) }
        waiting = continuation
        guard !links.isEmpty else { return confirmedAll() }
        waitsUntil = .now() + TimeAmount(clamping: tools.configuration.subscribeTimeout)
        for target in links.keys { connect(target) }
        tools.eventLoop.assumeIsolated().scheduleTask(deadline: waitsUntil) { [self] in
            guard waiting != nil else { return }
            close(Self.late(lastFailure))
        }
    }

    /// Names what stood in the way, where there was more than silence.
    private static func late(_ cause: (any Error)?) -> UpstashError {
        let (code, reason) =
            switch cause {
            case nil:
                (UpstashError.Code.timedOut, "The service did not answer, or a proxy holds streams of events back.")
            case let error as UpstashError: (error.code, error.message)
            case let error? where HTTPAsking.isNoHTTP(error): (.invalidAnswer, UpstashError.noHTTP)
            default: (.connectFailed, "The service cannot be reached.")
            }
        return UpstashError(code, "No subscription was made in time: \(reason)", underlying: cause)
    }

    private func close(_ error: any Error) {
        guard end == nil else { return }
        end = error
        waiting?.resume(throwing: error)
        waiting = nil
        for link in links.values { link.task?.cancel() }
        links = [:]
        writer.finish()
    }

    // MARK: Streams

    /// Twice what a message may have, which comes with the names of its channel and pattern.
    private var maxEventBytes: Int { min(max(tools.configuration.maxRequestBytes, 0), .max / 2) * 2 }

    private func connect(_ target: SubscriptionTarget) {
        guard end == nil, var link = links[target] else { return }
        link.attempt += 1
        link.lastSign = .now()
        let attempt = link.attempt
        do {
            let keeper = NIOLoopBound(self, eventLoop: tools.eventLoop)
            let task = tools.httpClient.execute(
                request: try tools.requests.subscription(target.path),
                delegate: EventStream(target, maxBytes: maxEventBytes, hiding: tools.configuration.token) { event in
                    keeper.value.received(event, target, attempt)
                },
                eventLoop: .delegate(on: tools.eventLoop)
            )
            link.task = task
            links[target] = link
            task.futureResult.assumeIsolated().whenFailure { [self] in lost(target, attempt, $0) }
            watch(target, attempt)
        } catch {
            close(error)
        }
    }

    /// Gives a stream up that is not confirmed in time, or of which nothing was heard for long.
    private func watch(_ target: SubscriptionTarget, _ attempt: Int) {
        guard let link = links[target], link.attempt == attempt else { return }
        let (unconfirmed, idle) = (tools.configuration.subscribeTimeout, tools.configuration.subscriptionIdleTimeout)
        let limit = link.lastSign + TimeAmount(clamping: link.isConfirmed ? idle : unconfirmed)
        guard limit > .now() else {
            link.task?.cancel()
            return
        }
        // It may be confirmed meanwhile, and counts as idle from then on.
        let time = min(limit, .now() + TimeAmount(clamping: min(unconfirmed, idle)))
        tools.eventLoop.assumeIsolated().scheduleTask(deadline: time) { [self] in watch(target, attempt) }
    }

    private func received(_ event: SubscriptionTarget.Event?, _ target: SubscriptionTarget, _ attempt: Int) {
        guard links[target]?.attempt == attempt else { return }
        links[target]?.received(event, at: .now())
        switch event {
        case .message(let message):
            // Before, what is heard may have gaps of which nothing tells.
            if wasComplete { writer.deliver(message) }
        case .confirmed:
            if links.values.allSatisfy(\.isConfirmed) { confirmedAll() }
        case nil:
            break
        }
    }

    private func confirmedAll() {
        if !reasons.isEmpty { writer.tell(.resubscribed) }
        wasComplete = true
        reasons = []
        waiting?.resume()
        waiting = nil
    }

    private func lost(_ target: SubscriptionTarget, _ attempt: Int, _ error: any Error) {
        let refusal = error as? UpstashError
        guard end == nil, links[target]?.attempt == attempt,
            let pause = links[target]?.lost(at: .now(), toldToWait: refusal?.retryAfter)
        else { return }
        // One that was given up tells no reason.
        if error as? HTTPClientError != .cancelled { lastFailure = error }
        if isLasting(error) {
            if waiting == nil { writer.finish(throwing: error) }
            return close(error)
        }
        if wasComplete, reasons.isEmpty { writer.tell(.disconnected) }
        if wasComplete, reasons.insert(refusal?.code).inserted {
            tools.logger.info(
                "A subscription was interrupted.",
                metadata: ["upstash.endpoint": "\(tools.configuration)", "error": "\(error)"]
            )
        }
        tools.eventLoop.assumeIsolated().scheduleTask(in: pause) { [self] in connect(target) }
    }

    /// Whether asking again would not help. A quota is filled up again, what stands before the service may answer
    /// anything for a while, and a refusal may last: for none of these need a new caller wait.
    private func isLasting(_ error: any Error) -> Bool {
        guard let error = error as? UpstashError else { return error is RESPError }
        switch error.code {
        case .unauthorized: return true
        case .connectFailed, .connectionLost, .timedOut, .rateLimited, .serverFailed:
            return waiting != nil && .now() + TimeAmount(clamping: error.retryAfter ?? .zero) > waitsUntil
        default: return waiting != nil
        }
    }
}
