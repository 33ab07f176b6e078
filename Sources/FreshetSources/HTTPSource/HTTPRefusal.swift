import AsyncHTTPClient
import Foundation
import Freshet
import HTTPAsking
import NIOHTTP1

/// An answer that brings no value.
struct HTTPRefusal {
    let error: CacheError

    init(_ response: HTTPClientResponse, _ target: HTTPTarget) {
        let status = Int(response.status.code)
        let said =
            switch status {
            case 401, 403: "refuses access; check the headers it is asked with"
            case 402: "wants to be paid; what was paid for is used up"
            case 429: "had too many requests"
            case 500...: "has a failure of its own"
            case 304: "says that nothing has changed, but was not asked that"
            default: "gave an answer that has no meaning here"
            }
        let wait = [429, 503].contains(status) ? HTTPAsking.retryAfter(response.headers, now: Date()) : nil
        error = CacheError(
            status == 429 ? .overloaded : .sourceFailed,
            "\(target.name) \(said) (\(status))",
            retryAfter: wait
        )
        .because(of: Self.refusal(status))
    }

    private static func refusal(_ status: Int) -> Refusal? {
        switch status {
        case 401, 403: .credentials
        case 402: .quota
        default: nil
        }
    }
}
