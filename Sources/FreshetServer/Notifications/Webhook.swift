import AsyncHTTPClient
import Foundation
import Freshet
import HTTPAsking
import NIOCore
import NIOHTTP1

/// A URL that JSON is posted to. Nothing here says more of it than its host.
struct Webhook: Sendable {
    enum Outcome: Sendable, Hashable {
        case delivered
        /// Trying again may help, after so long if the receiver said so.
        case failed(String, retryAfter: Duration?)
        /// Trying again will not help.
        case refused(String)
    }

    private let url: String
    let host: String

    /// - Throws: `CacheError` with `configuration`, which does not repeat the URL.
    init(_ text: String) throws {
        guard let url = HTTPAsking.url(text), HTTPAsking.canAsk(url), let host = url.host() else {
            throw CacheError(.configuration, "the webhook is no URL with \(HTTPAsking.demands)")
        }
        self.url = url.absoluteString
        self.host = host
    }

    /// Never shut down. Follows no redirects: they would take the notice to somebody else.
    private static let client = HTTPClient(
        eventLoopGroupProvider: .shared(HTTPClient.defaultEventLoopGroup),
        configuration: HTTPAsking.configuration(connectTimeout: .seconds(5))
    )

    /// Posts, and waits at most ten seconds for the head of the answer; its body is not read.
    ///
    /// - Throws: `CancellationError`.
    func post(_ body: ByteBuffer) async throws -> Outcome {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json; charset=utf-8")
        request.headers.add(name: "user-agent", value: "freshet")
        request.body = .bytes(body)
        do {
            let response = try await Self.client.execute(request, timeout: .seconds(10))
            return Self.outcome(Int(response.status.code), HTTPAsking.retryAfter(response.headers, now: Date()))
        } catch {
            if Task.isCancelled { throw CancellationError() }
            let reason = HTTPAsking.isTimeout(error) ? "it did not answer in time" : HTTPAsking.reason(error)
            return .failed(reason, retryAfter: nil)
        }
    }

    private static func outcome(_ status: Int, _ retryAfter: Duration?) -> Outcome {
        switch status {
        case 200..<300: .delivered
        case 408, 425, 429, 500...:
            .failed("status \(status)", retryAfter: retryAfter)
        default: .refused("status \(status)")
        }
    }
}

extension Webhook: CustomStringConvertible, CustomReflectable {
    /// The host.
    var description: String { host }

    var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
