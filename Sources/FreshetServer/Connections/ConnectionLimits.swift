import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Closes a connection whose client sends a request too slowly or too large, stops reading its answer, or has gone
/// without it; ends what has not ended when the service has drained; and lets bodies come whose senders wait for leave.
///
/// One timer a connection: requests note instants, and the timer looks at them when it comes round.
final class ConnectionLimits: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How far the end of the service has come.
    private enum Draining: Comparable {
        case not, begun
        /// A request has had its time to come.
        case late
        /// The time is over.
        case over
    }

    private let limits: ServerLimits
    private let bufferedBytes: (any Channel) -> Int
    /// Since when the client owes us something: a request or its end. nil while the answer is ours to make.
    private var owedSince: NIODeadline?
    /// The fewest bytes that an answer in the way has had waiting, and since when.
    private var backlog: (bytes: Int, since: NIODeadline)?
    /// Requests that came and have no answer yet, the oldest first.
    private var unanswered = CircularBuffer<(isForHead: Bool, isLast: Bool)>()
    private var isAnswering = false
    /// Whether a request has begun to come, and not ended.
    private var isReceiving = false
    /// Whether the head of a request was passed on, and its end was not.
    private var isPassingBody = false
    private var heads: RequestHeads?
    private var draining = Draining.not
    /// Whether the framework, which closes what is idle, has yet to be told so, since the head of a request comes.
    private var isHoldingBack = false
    private var bodyBytes = 0
    /// Whether its sender waits for leave to send the last request's body.
    private var isExpecting = false
    /// `Origin` of the last request, where refusals answer it.
    private var origin: String?
    /// Whether the last request that came has a body that is too large, and what comes after it is dropped. It is told
    /// behind the answers to those before it.
    private var hasBodyTooLarge = false
    private var isRefusing = false
    private var isInputClosed = false
    /// Whether nothing can be read behind the last request.
    private var isBroken = false
    /// Whether an answer has said that the connection ends with it. Who asks for more all the same is not heard.
    private var isEnding = false
    /// Whether this side is closed, and the rest of a body is let come, to be dropped.
    private var isLingering = false
    /// The answer to what cannot be read as a request.
    private var refusalOfHead: ServerLimits.Refusal?
    private var timer: Scheduled<Void>?

    /// - Parameter bufferedBytes: how much of the answers the client has not taken; tests say it.
    init(
        limits: ServerLimits,
        bufferedBytes: @escaping (any Channel) -> Int = {
            (try? $0.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        }
    ) {
        self.limits = limits
        self.bufferedBytes = bufferedBytes
    }

    func handlerAdded(context: ChannelHandlerContext) {
        heads = RequestHeads.add(to: context.pipeline.syncOperations)
        owedSince = context.eventLoop.now
        schedule(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        breakOff(context)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isRefusing || hasBodyTooLarge {
            if case .body(let part) = unwrapInboundIn(data) { bodyBytes += part.readableBytes }
            return
        }
        if isEnding, !isReceiving { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            bodyBytes = 0
            isReceiving = true
            isExpecting = head.method != .get && head.headerFields.text(of: .expect)?.lowercased() == "100-continue"
            if limits.refusalFields != nil { origin = head.headerFields.text(of: .origin) }
            // Behind others its time begins when those are answered.
            if unanswered.isEmpty, owedSince == nil { owedSince = context.eventLoop.now }
            unanswered.append((head.method == .head, head.headerFields.text(of: .connection) == "close"))
            if let length = head.headerFields.text(of: .contentLength),
                UInt(length).map({ $0 > UInt(limits.maxBodyBytes) }) ?? true
            {
                return refuseBody(context)
            }
            isPassingBody = true
            letBodyCome(context)
        case .body(let part):
            bodyBytes += part.readableBytes
            if bodyBytes > limits.maxBodyBytes {
                return refuseBody(context)
            }
        case .end:
            // It may be answered already.
            owedSince = unanswered.isEmpty ? context.eventLoop.now : nil
            isReceiving = false
            isPassingBody = false
        }
        context.fireChannelRead(data)
        if isHoldingBack { letClose(context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError {
            refusalOfHead = limits.refusal(ofHead: error)
        } else {
            isBroken = true
        }
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            isInputClosed = true
            breakOff(context)
            if isLingering { context.close(promise: nil) } else { awaitLastAnswer(context) }
        }
        if event is ChannelShouldQuiesceEvent {
            drain(context)
            if isHoldingBack { return }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isRefusing else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        // What cannot be read is answered by the framework, behind the requests before it, without a word.
        if let refusalOfHead, unanswered.isEmpty, case .head = unwrapOutboundIn(data) {
            return writeRefusal(context, refusalOfHead, isHead: false, promise: promise)
        }
        var data = data
        switch unwrapOutboundIn(data) {
        case .head(var head):
            isAnswering = true
            isEnding = isNextLast
            if isEnding {
                head.headerFields[.connection] = "close"
                data = wrapOutboundOut(.head(head))
            }
        case .body: break
        case .end:
            isAnswering = false
            _ = unanswered.popFirst()
            let isOwed = unanswered.isEmpty || (unanswered.count == 1 && isReceiving)
            if isOwed, owedSince == nil { owedSince = context.eventLoop.now }
        }
        context.write(data, promise: promise)
        guard unanswered.count == 1, !isAnswering else { return }
        if hasBodyTooLarge {
            refuse(context, limits.refusalOfBody, isNext: true)
        } else if draining >= .late {
            endUnfinished(context)
        } else {
            letBodyCome(context)
        }
    }

    /// Whether the connection ends behind the answer to the first of what is unanswered.
    private var isNextLast: Bool {
        unanswered.first?.isLast == true || (unanswered.count == 1 && (draining > .not || isBroken || isInputClosed))
    }

    /// Of a body that is too large, and waits to be refused, as much again is dropped; then its sender has to wait.
    func read(context: ChannelHandlerContext) {
        if !hasBodyTooLarge || isLingering || bodyBytes <= 2 * limits.maxBodyBytes { context.read() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Nobody behind this asks for what is dropped.
        if isLingering { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        backlog = context.channel.isWritable ? nil : (bufferedBytes(context.channel), context.eventLoop.now)
        context.fireChannelWritabilityChanged()
    }

    /// The framework closes behind an answer that has yet to be sent, which would be dropped.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode != .input, context.channel.isActive, bufferedBytes(context.channel) > 0,
            let encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
        else { return context.close(mode: mode, promise: promise) }
        // Nothing, behind all that waits. To close only this side would not do: it closes both for who has closed theirs.
        encoder.writeAndFlush(NIOAny(IOData.byteBuffer(ByteBuffer()))).assumeIsolated().whenComplete { _ in
            context.close(mode: mode, promise: promise)
        }
    }

    /// Closes the connection of a client that sends no more, unless what it asked for is answered at once, one after
    /// the other. An answer in the way may take as long as the client goes on reading it. What is answered is left to
    /// the framework, which then closes, too.
    private func awaitLastAnswer(_ context: ChannelHandlerContext) {
        guard !unanswered.isEmpty, context.channel.isActive else { return }
        let (before, hadBacklog) = (unanswered.count, backlog != nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: limits.lastAnswerTime) {
            if hadBacklog || self.backlog != nil || self.unanswered.count < before {
                self.awaitLastAnswer(context)
            } else {
                context.close(promise: nil)
            }
        }
    }

    /// The service ends: a request has so long to come, and its answer to be made. The framework closes what is idle.
    private func drain(_ context: ChannelHandlerContext) {
        draining = .begun
        isHoldingBack = unanswered.isEmpty && heads?.isHalfRead == true
        let loop = context.eventLoop.assumeIsolated()
        loop.scheduleTask(in: limits.lastRequestTime) {
            self.draining = max(self.draining, .late)
            if context.channel.isActive, !self.isRefusing { self.endUnfinished(context) }
            if self.isHoldingBack { self.letClose(context) }
        }
        loop.scheduleTask(in: limits.drainTime) {
            self.draining = .over
            guard context.channel.isActive, !self.isRefusing else { return context.close(promise: nil) }
            let isNext = !self.unanswered.isEmpty && !self.isAnswering
            self.refuse(context, self.limits.refusalOfRest, isNext: isNext)
        }
    }

    /// Nothing more comes. Who reads a body would take that for its end, also where the end came and was dropped.
    private func breakOff(_ context: ChannelHandlerContext) {
        guard isPassingBody else { return }
        isPassingBody = false
        context.fireErrorCaught(UnreadableBody())
    }

    private func letClose(_ context: ChannelHandlerContext) {
        isHoldingBack = false
        context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }

    /// Ends a request that has not come to its end, once those before it are answered.
    private func endUnfinished(_ context: ChannelHandlerContext) {
        guard isReceiving else { return }
        switch unanswered.count {
        // Its answer was made before its end, and may still be read.
        case 0: close(context: context, mode: .all, promise: nil)
        case 1: if !isAnswering { refuse(context, limits.refusalOfRest, isNext: true) }
        default: break
        }
    }

    /// Tells the sender to go on, if it waits for that and its request is the next to be answered.
    private func letBodyCome(_ context: ChannelHandlerContext) {
        guard isExpecting, isReceiving, bodyBytes == 0, unanswered.count == 1 else { return }
        isExpecting = false
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
    }

    /// Refuses the last request, once those before it are answered. One that is being answered is cut off.
    private func refuseBody(_ context: ChannelHandlerContext) {
        guard unanswered.count > 1 else {
            return refuse(context, limits.refusalOfBody, isNext: !unanswered.isEmpty && !isAnswering)
        }
        hasBodyTooLarge = true
        owedSince = nil
    }

    /// Closes the connection, after an answer if the request's answer is the next to be written.
    private func refuse(_ context: ChannelHandlerContext, _ refusal: ServerLimits.Refusal, isNext: Bool) {
        isRefusing = true
        // That the refusal is read.
        owedSince = context.eventLoop.now
        if isAnswering { return context.close(promise: nil) }
        guard isNext else { return leave(context) }
        writeRefusal(context, refusal, isHead: unanswered.first?.isForHead ?? false)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in self.leave(context) }
    }

    /// Closes the connection. While a body still comes only this side of it: what comes to a socket that is closed has
    /// the system drop the answer before it is read.
    private func leave(_ context: ChannelHandlerContext) {
        guard isReceiving, !isInputClosed, draining < .over, context.channel.isActive else {
            return context.close(promise: nil)
        }
        isLingering = true
        context.close(mode: .output).assumeIsolated().whenFailure { _ in context.close(promise: nil) }
        closeWhenSilent(context)
        context.read()
    }

    /// One that goes on has what is owed as its limit: ``ServerLimits/requestTimeout``.
    private func closeWhenSilent(_ context: ChannelHandlerContext) {
        let before = bodyBytes
        context.eventLoop.assumeIsolated().scheduleTask(in: limits.lastRequestTime) {
            if self.bodyBytes > before { self.closeWhenSilent(context) } else { context.close(promise: nil) }
        }
    }

    /// All but its end.
    private func writeRefusal(
        _ context: ChannelHandlerContext,
        _ refusal: ServerLimits.Refusal,
        isHead: Bool,
        promise: EventLoopPromise<Void>? = nil
    ) {
        var fields = limits.refusalFields?(origin) ?? [:]
        fields[.contentType] = ContentType.json
        fields[.cacheControl] = "no-store"
        fields[.contentLength] = String(refusal.body.readableBytes)
        fields[.connection] = "close"
        if refusal.status == .serviceUnavailable { fields[.retryAfter] = "1" }
        let head = HTTPResponse(status: refusal.status, headerFields: fields)
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        if !isHead { context.write(wrapOutboundOut(.body(refusal.body)), promise: nil) }
    }

    /// The next check is due when what is owed or unread now is late; what begins after now is late no sooner than that.
    private func schedule(_ context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        let due = min(
            (owedSince ?? now) + limits.requestTimeout,
            (backlog?.since ?? now) + limits.writeTimeout
        )
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.check(context) }
    }

    private func check(_ context: ChannelHandlerContext) {
        // One that is due cannot be cancelled.
        if timer == nil { return }
        let now = context.eventLoop.now
        // An answer that is still on its way comes first, however slowly it is read.
        let unread = bufferedBytes(context.channel)
        if owedSince != nil, unread > 0 {
            owedSince = now
            if backlog == nil { backlog = (unread, now) }
        }
        let isLate = owedSince.map { now - $0 >= limits.requestTimeout } ?? false
        if isLate || isUnread(context, now) { context.close(promise: nil) } else { schedule(context) }
    }

    /// Whether nothing was taken of an answer for too long. A slow reader that takes some each time is left alone.
    private func isUnread(_ context: ChannelHandlerContext, _ now: NIODeadline) -> Bool {
        guard let backlog else { return false }
        let bytes = bufferedBytes(context.channel)
        if bytes < backlog.bytes { self.backlog = bytes == 0 ? nil : (bytes, now) }
        return bytes >= backlog.bytes && now - backlog.since >= limits.writeTimeout
    }
}
