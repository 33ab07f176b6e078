import AsyncHTTPClient
import HTTPAsking
import NIOCore
import RESP

/// What came of a request, as far as its jobs are concerned.
enum Outcome {
    /// One value for each command, in order.
    case values([RESPValue])
    /// Nobody got a result, and sending it again may help.
    case transient(UpstashError)
    /// It will not help.
    case failed(UpstashError)
    /// The service refused the request as a whole. With others in it, that may be the fault of one.
    case refused(any Error, mayHaveExecuted: Bool)

    /// - Parameters:
    ///   - count: the commands of the request. A transaction's and a lone path's answer is read alike.
    ///   - token: what errors are not to repeat.
    init(_ reply: Exchange.Reply, count: Int, hiding token: String) {
        let answer: Answer?
        do { answer = try Answer(reply.body, hiding: token) } catch { answer = nil }
        switch (answer, reply.status) {
        case (.many(let values), 200..<300) where values.count == count:
            self = .values(values)
        case (.one(.error(let error)), let status):
            self = Self.refusal(error, status)
        case (.one(let value), 200..<300) where count == 1:
            self = .values([value])
        case (_, 401), (_, 403):
            self = .failed(UpstashError(.unauthorized, UpstashError.wrongToken))
        case (_, 413), (_, 414), (_, 431):
            self = .refused(Self.tooLarge(), mayHaveExecuted: false)
        case (_, 429):
            self = .transient(Self.tooFast())
        case (_, 500...):
            self = .transient(Self.broken(reply.status))
        case (_, 200..<300):
            self = .transient(Self.unreadable(reply.status))
        default:
            self = .failed(Self.unreadable(reply.status))
        }
        if reply.retryAfter > .zero, case .transient(var error) = self {
            error.retryAfter = .nanoseconds(reply.retryAfter.nanoseconds)
            self = .transient(error)
        }
    }

    private static func refusal(_ error: RESPError, _ status: Int) -> Outcome {
        // The service takes no writes at the moment, whatever it is that says so.
        if error.code == .readOnly { return .refused(error, mayHaveExecuted: false) }
        let condition = UpstashError(error)
        switch (condition?.code, status) {
        case (.quotaExceeded?, _), (.unauthorized?, _):
            return condition.map { .failed($0) } ?? .refused(error, mayHaveExecuted: false)
        case (_, 401): return .failed(UpstashError(.unauthorized, UpstashError.wrongToken, underlying: error))
        case (_, 413), (_, 414), (_, 431): return .refused(tooLarge(error), mayHaveExecuted: false)
        case (.rateLimited?, _), (_, 429): return .transient(tooFast(error))
        case (_, 500...): return .transient(broken(status, error))
        // Of what stands where the service should.
        case (nil, 404) where error.code == .generic: return .failed(unreadable(status, error))
        default: return .refused(condition ?? error, mayHaveExecuted: status < 400)
        }
    }

    /// - Parameter wasSent: whether anything of the request was written.
    init(_ error: any Error, wasSent: Bool) {
        switch error {
        case is Exchange.TooLarge:
            self = .refused(
                UpstashError(
                    .resultTooLarge,
                    "The answer is larger than this client accepts.",
                    mayHaveExecuted: true,
                    underlying: AnswerTrimmer.mark
                ),
                mayHaveExecuted: true
            )
        case let error as HTTPClientError where error == .deadlineExceeded:
            // It may be on its way although nothing told of it yet.
            self = .failed(Self.late(mayHaveExecuted: true))
        case _ where HTTPAsking.isNoHTTP(error):
            self = .transient(
                UpstashError(.invalidAnswer, UpstashError.noHTTP, mayHaveExecuted: true, underlying: error)
            )
        default:
            self = .transient(
                wasSent
                    ? UpstashError(.connectionLost, "The connection broke.", mayHaveExecuted: true, underlying: error)
                    : UpstashError(.connectFailed, "The service cannot be reached.", underlying: error)
            )
        }
    }

    static func late(mayHaveExecuted: Bool) -> UpstashError {
        UpstashError(.timedOut, "The service did not answer in time.", mayHaveExecuted: mayHaveExecuted)
    }

    private static func tooLarge(_ cause: RESPError? = nil) -> UpstashError {
        UpstashError(.requestTooLarge, "The request is larger than the service takes.", underlying: cause)
    }

    private static func tooFast(_ cause: RESPError? = nil) -> UpstashError {
        // Refused, but a gateway in between may say so of what went through.
        UpstashError(.rateLimited, "Requests come too fast.", mayHaveExecuted: true, underlying: cause)
    }

    private static func broken(_ status: Int, _ cause: RESPError? = nil) -> UpstashError {
        UpstashError(.serverFailed, "The service failed with \(status).", mayHaveExecuted: true, underlying: cause)
    }

    private static func unreadable(_ status: Int, _ cause: RESPError? = nil) -> UpstashError {
        UpstashError(
            .invalidAnswer,
            "The answer (status \(status)) is none that the service gives. Is the URL the one for REST?",
            mayHaveExecuted: true,
            underlying: cause
        )
    }
}
