import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// One request and its answer, as far as they have come.
final class Exchange: HTTPClientResponseDelegate, Sendable {
    struct Reply: Sendable {
        var status = 0
        var body = ByteBuffer()
        /// How long a refusal says to wait before what was refused is sent again.
        var retryAfter = TimeAmount.zero
    }

    /// The answer is larger than the client accepts.
    struct TooLarge: Error {}

    private struct State {
        var reply = Reply()
        var isSent = false
        var syncToken: String?
        /// Set as soon as the answer is too large.
        var trimmer: AnswerTrimmer?
    }

    private let maxBytes: Int
    private let commandCount: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameter maxBytes: of the body. Of several commands those lose their results for which there is no room.
    init(maxBytes: Int, commandCount: Int) {
        self.maxBytes = maxBytes
        self.commandCount = commandCount
    }

    /// Whether anything of the request has been written.
    var isSent: Bool { state.withLockedValue { $0.isSent } }

    /// Comes with the head: of refusals too, and of answers that break off.
    var syncToken: String? { state.withLockedValue { $0.syncToken } }

    func didSendRequestHead(task: HTTPClient.Task<Reply>, _ head: HTTPRequestHead) {
        state.withLockedValue { $0.isSent = true }
    }

    func didReceiveHead(task: HTTPClient.Task<Reply>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        // First: a write whose answer is not read was run all the same.
        state.withLockedValue { state in
            state.reply.status = Int(head.status.code)
            state.reply.retryAfter = Self.retryAfter(head)
            state.syncToken = head.headers.first(name: "upstash-sync-token")
        }
        let announced = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        guard announced <= maxBytes || commandCount > 1 else { return task.eventLoop.makeFailedFuture(TooLarge()) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    /// In seconds; a date is too coarse for those who have less time than that.
    static func retryAfter(_ head: HTTPResponseHead) -> TimeAmount {
        guard head.status == .tooManyRequests || head.status == .serviceUnavailable,
            let seconds = head.headers.first(name: "retry-after").flatMap({ Int64($0) })
        else { return .zero }
        return .seconds(min(max(0, seconds), 86_400))
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Reply>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let isTooLarge = state.withLockedValue { state in
            if state.trimmer == nil {
                guard state.reply.body.readableBytes + buffer.readableBytes > maxBytes else {
                    state.reply.body.writeImmutableBuffer(buffer)
                    return false
                }
                guard commandCount > 1 else { return true }
                state.trimmer = AnswerTrimmer(maxBytes: maxBytes)
                state.trimmer?.receive(state.reply.body)
                state.reply.body = ByteBuffer()
            }
            state.trimmer?.receive(buffer)
            return state.trimmer?.kept.readableBytes ?? 0 > maxBytes + commandCount * AnswerTrimmer.leastBytes
        }
        return isTooLarge
            ? task.eventLoop.makeFailedFuture(TooLarge()) : task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Reply>) -> Reply {
        state.withLockedValue { state in
            defer {
                state.reply = Reply()
                state.trimmer = nil
            }
            if let trimmer = state.trimmer { state.reply.body = trimmer.kept }
            return state.reply
        }
    }
}
