import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import RESP

/// Answers requests as the service does.
struct UpstashResponder: HTTPResponder {
    typealias Context = UpstashContext

    /// Answers that are longer hold their part of the memory until they are written.
    private static let longAnswer = 16 << 10

    private let runner: UpstashRunner
    private let tokens: UpstashTokens
    private let limits: UpstashEndpointLimits
    private let syncToken = UpstashSyncToken()
    private let requests: RequestGate
    private let subscriptions: RequestGate
    private let memory: ByteBudget
    private let queues: UpstashEventQueues

    init(backend: any UpstashBackend, tokens: UpstashTokens, limits: UpstashEndpointLimits) {
        runner = UpstashRunner(backend: backend, limits: limits)
        self.tokens = tokens
        self.limits = limits
        requests = RequestGate(limit: limits.maxConcurrentRequests)
        subscriptions = RequestGate(limit: limits.maxSubscriptions)
        memory = ByteBudget(limit: limits.maxBytesInFlight)
        queues = UpstashEventQueues(
            maxEvents: limits.maxWaitingEvents,
            maxBytes: limits.maxWaitingBytes,
            maxBytesInAll: limits.maxWaitingBytesInAll
        )
    }

    func respond(to request: Request, context: Context) async throws -> Response {
        var response = await answer(request, context)
        response.headers.add(.accessControlAllowOrigin, "*")
        response.headers.add(.accessControlExposeHeaders, "Upstash-Sync-Token")
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request, _ context: Context) async -> Response {
        switch request.method {
        case .head, .get, .post, .put: break
        case .options: return Response(status: .ok, headers: .preflight)
        default: return Response(status: .methodNotAllowed, headers: [.allow: "HEAD, GET, POST, PUT"])
        }
        do {
            let target = try UpstashTarget(request.head.path ?? "/")
            guard let access = tokens.access(query: target.token, header: request.headers.text(of: .authorization))
            else {
                throw UpstashRefusal.unauthorized
            }
            return await answer(request, target, isReadOnly: access == .readOnly, context)
        } catch {
            return Response(refusal(of: error, context.logger))
        }
    }

    /// Answers somebody who has a token.
    private func answer(
        _ request: Request,
        _ target: UpstashTarget,
        isReadOnly: Bool,
        _ context: Context
    ) async -> Response {
        var response: Response
        var mayHaveWritten = false
        var format = UpstashAnswerFormat.json
        do {
            format = try UpstashAnswerFormat(request.headers)
            guard requests.enter() else { throw UpstashRefusal.unavailable("too many requests are under way") }
            defer { requests.leave() }
            let share = memory.share()
            let call = try await UpstashCall.read(target, limits: limits) {
                try await collect(request.body, share, context.logger)
            }
            if case .transaction = call { try format.checkForTransaction() }
            response = try await run(call, isReadOnly: isReadOnly, format, request, context, share)
            mayHaveWritten = !call.changesNothing
        } catch {
            let refusal = refusal(of: error, context.logger)
            response = Response(refusal, format)
            mayHaveWritten = refusal.mayHaveRun
        }
        response.headers.add(.upstashSyncToken, syncToken.current(afterWrite: mayHaveWritten))
        return response
    }

    private func refusal(of error: any Error, _ logger: Logger) -> UpstashRefusal {
        if let refusal = error as? UpstashRefusal { return refusal }
        logger.error("a request failed", metadata: ["error": "\(error)"])
        return UpstashRefusal(.internalServerError, "ERR internal error")
    }

    private func collect(
        _ body: RequestBody,
        _ share: ByteBudget.Share,
        _ logger: Logger
    ) async throws -> ByteBuffer {
        var collected = ByteBuffer()
        do {
            for try await var part in body {
                guard collected.readableBytes + part.readableBytes <= limits.maxBodyBytes else {
                    throw UpstashRefusal.requestTooLarge(limit: limits.maxBodyBytes)
                }
                guard share.take(part.readableBytes) else {
                    throw UpstashRefusal.unavailable("too much is under way; send less at a time")
                }
                if collected.readableBytes == 0 { collected = part } else { collected.writeBuffer(&part) }
            }
        } catch let error where !(error is UpstashRefusal) {
            // Its client went away, or sent what is no body; nothing is wrong here.
            logger.debug("a request broke off", metadata: ["error": "\(error)"])
            throw UpstashRefusal.brokenOff
        }
        return collected
    }

    private func run(
        _ call: UpstashCall,
        isReadOnly: Bool,
        _ format: UpstashAnswerFormat,
        _ request: Request,
        _ context: Context,
        _ share: ByteBudget.Share
    ) async throws -> Response {
        var writer = runner.writer(format)
        switch call {
        case .command(let command):
            let reply = try await runner.run(command, isReadOnly: isReadOnly, share)
            try await runner.write([reply], to: &writer, share)
            let status = reply.error?.serviceStatus(isOfScript: command.command.runsScript)
            return response(status: status ?? .ok, format, writer, share)
        case .pipeline(let commands):
            try await runner.run(pipeline: commands, isReadOnly: isReadOnly, to: &writer, share)
            return response(format, writer, share)
        case .transaction(let commands):
            let replies = try await runner.run(transaction: commands, isReadOnly: isReadOnly, share)
            writer.beginList()
            try await runner.write(replies, to: &writer, share)
            writer.endList()
            return response(format, writer, share)
        case .events(let events):
            if isReadOnly { throw UpstashRefusal.noPermission(events.command) }
            if request.method == .head { return UpstashEventStream.headResponse }
            let stream = UpstashEventStream(
                backend: runner.backend,
                limits: limits,
                gate: subscriptions,
                queues: queues
            )
            return try await stream.response(to: request, on: context.channel, events)
        }
    }

    private func response(
        status: HTTPResponse.Status = .ok,
        _ format: UpstashAnswerFormat,
        _ writer: UpstashAnswerWriter,
        _ share: ByteBudget.Share
    ) -> Response {
        var headers: HTTPFields = [.contentType: format.contentType]
        if status == .serviceUnavailable { headers[.retryAfter] = "1" }
        let bytes = writer.buffer
        guard bytes.readableBytes > Self.longAnswer else {
            return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: bytes))
        }
        let body = ResponseBody(contentLength: bytes.readableBytes) { writer in
            defer { withExtendedLifetime(share) {} }
            try await writer.write(bytes)
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
    }
}

extension Response {
    fileprivate init(_ refusal: UpstashRefusal, _ format: UpstashAnswerFormat = .json) {
        var headers: HTTPFields = [.contentType: format.contentType]
        if refusal.isTransient { headers[.retryAfter] = "1" }
        if refusal.status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        self.init(status: refusal.status, headers: headers, body: ResponseBody(byteBuffer: refusal.body(format)))
    }
}

extension HTTPFields {
    /// Pages of any site may ask, if they have a token.
    fileprivate static let preflight: HTTPFields = [
        .accessControlAllowMethods: "HEAD, GET, POST, PUT",
        .accessControlAllowHeaders: "*, Authorization",
        .accessControlMaxAge: "600",
    ]
}
