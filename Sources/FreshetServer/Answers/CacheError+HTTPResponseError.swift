public import Freshet
public import HTTPTypes
public import Hummingbird

/// What a handler of a Hummingbird router throws on, as from `try await fields.value(of: rates)`, is answered as the routes
/// of fields answer it: `{"error":"Bad Gateway","message":"…"}` that no cache keeps, with `Retry-After` where it is known.
extension CacheError: HTTPResponseError {
    public var status: HTTPResponse.Status {
        switch code {
        case .unknownField, .absent: .notFound
        case .invalidArgument: .badRequest
        case .sourceFailed, .invalidValue: .badGateway
        case .sourceTimedOut: .gatewayTimeout
        // The key holds something else, or the store does not take the operation: asking again changes nothing.
        case .storeRejected: .conflict
        case .overloaded, .shuttingDown, .notInitialized, .storeUnavailable, .storeTimedOut: .serviceUnavailable
        default: .internalServerError
        }
    }

    public func response(from request: Request, context: some RequestContext) -> Response {
        let answer = ErrorResponse.make(self, status.reasonPhrase)
        return request.method == .head ? answer.createHeadResponse() : answer
    }
}
