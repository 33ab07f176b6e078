import Freshet
import HTTPTypes
import Hummingbird
import NIOCore

/// Errors as clients see them: `{"error":"Failed to load agents","message":"…"}` with the status that fits.
package enum ErrorResponse {
    package struct Body: Codable {
        package let error: String
        package let message: String
    }

    static func make(
        _ status: HTTPResponse.Status,
        _ error: String,
        _ message: String,
        retryAfter: Duration? = nil
    ) -> Response {
        var response = Response.json(status, body(error, message))
        if let retryAfter { response.headers[.retryAfter] = String(max(1, CacheStatus.seconds(retryAfter))) }
        return response
    }

    /// The `error` where the source has no value.
    package static func absence(of field: String) -> String { "No value for \(field)" }

    static func body(_ error: String, _ message: String) -> ByteBuffer {
        (try? StoredJSON.encode(Body(error: error, message: message))) ?? ByteBuffer()
    }

    /// The answer to a request whose work failed.
    ///
    /// - Parameter action: what was tried: "load", "refresh".
    static func make(_ error: any Error, _ action: String, field: String) -> Response {
        guard let error = error as? CacheError else {
            let isCancelled = error is CancellationError
            return make(
                isCancelled ? .serviceUnavailable : .internalServerError,
                "Failed to \(action) \(field)",
                isCancelled ? "the request was given up" : "an internal error",
                retryAfter: isCancelled ? .seconds(1) : nil
            )
        }
        let title =
            switch error.code {
            case .unknownField: "Unknown field"
            case .absent: absence(of: field)
            case .invalidArgument: "Bad parameter"
            default: "Failed to \(action) \(field)"
            }
        return make(error, title)
    }

    static func make(_ error: CacheError, _ title: String) -> Response {
        let pause = error.retryAfter ?? (error.status == .serviceUnavailable ? .seconds(1) : nil)
        return make(error.status, title, error.message, retryAfter: pause)
    }
}
