import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import RESP

/// One connection over which the service tells of one target.
final class EventStream: HTTPClientResponseDelegate, Sendable {
    private static let maxErrorBytes = 64 << 10

    private struct State {
        var reply = Exchange.Reply()
        /// Whether it is no stream, but an answer as other commands get.
        var isAnswer = false
        var events: ServerSentEvents
    }

    private let target: SubscriptionTarget
    private let token: String
    private let state: NIOLockedValueBox<State>
    private let onEvent: @Sendable (SubscriptionTarget.Event?) -> Void

    /// - Parameters:
    ///   - token: what errors are not to repeat.
    ///   - onEvent: called on the request's event loop; with `nil` for a sign of life.
    init(
        _ target: SubscriptionTarget,
        maxBytes: Int,
        hiding token: String,
        onEvent: @escaping @Sendable (SubscriptionTarget.Event?) -> Void
    ) {
        self.target = target
        self.token = token
        self.onEvent = onEvent
        state = NIOLockedValueBox(State(events: ServerSentEvents(maxBytes: maxBytes)))
    }

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let type = head.headers.first(name: "content-type")?.lowercased() ?? ""
        state.withLockedValue { state in
            state.reply.status = Int(head.status.code)
            state.reply.retryAfter = Exchange.retryAfter(head)
            // Errors come with 200 as well.
            state.isAnswer = head.status != .ok || type.hasPrefix("application/json")
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        do {
            let events: [ByteBuffer] = try state.withLockedValue { state in
                guard !state.isAnswer else {
                    guard state.reply.body.readableBytes < Self.maxErrorBytes else { return [] }
                    state.reply.body.writeImmutableBuffer(buffer)
                    return []
                }
                return try state.events.receive(buffer)
            }
            onEvent(nil)
            for event in events { onEvent(target.event(event)) }
        } catch {
            return task.eventLoop.makeFailedFuture(error)
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    /// A stream that ends is one that was lost.
    func didFinishRequest(task: HTTPClient.Task<Void>) throws {
        let (reply, isAnswer) = state.withLockedValue { ($0.reply, $0.isAnswer) }
        guard isAnswer else { throw UpstashError(.connectionLost, "The service ended the stream.") }
        switch Outcome(reply, count: 1, hiding: token) {
        case .transient(let error) where error.code != .invalidAnswer: throw error
        case .failed(let error) where error.code != .invalidAnswer: throw error
        case .refused(let error, _): throw error
        case .transient, .failed, .values:
            throw UpstashError(
                .invalidAnswer,
                """
                There are no subscriptions at this URL (status \(reply.status)). Does a proxy keep streams of events from \
                getting through?
                """
            )
        }
    }
}
