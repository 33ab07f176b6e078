import AsyncHTTPClient
import Foundation
import Freshet
import FreshetServer
import NIOCore
import NIOHTTP1
import NIOPosix
import SourceHTTP

/// Talks to a running service.
struct ServiceClient: Sendable {
    enum Method: String {
        case get = "GET"
        case post = "POST"
        case delete = "DELETE"
    }

    struct Answer: Sendable {
        let status: Int
        let cacheStatus: String?
        let body: ByteBuffer
    }

    private struct ErrorBody: Decodable {
        let error: String
        let message: String
    }

    private static let maxAnswer = 256 << 20

    /// Not the shared client: that goes on trying where nobody listens, and follows redirects.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private let url: String
    private let token: String?

    /// - Throws: ``Failure`` with `usage` for what is no URL, and what cannot be a token. Both may hold a secret, so its
    ///   message repeats neither.
    init(url: String, token: String?) throws {
        let parsed = URL(string: url)
        guard parsed?.user() == nil, parsed?.password() == nil else {
            throw Failure(.usage, "the URL holds a user or password; the token belongs in --token")
        }
        guard let parsed, SourceHTTP.canAsk(parsed), parsed.query() == nil, parsed.fragment() == nil else {
            throw Failure(.usage, "the URL is none of a service; write http://host:port")
        }
        guard token?.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) != false else {
            throw Failure(.usage, "the token has characters that no token has")
        }
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.token = token
    }

    /// - Throws: ``Failure``, with the exit code and the text that fit.
    func send(_ method: Method, _ path: String, timeout: TimeAmount = .seconds(120)) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = HTTPMethod(rawValue: method.rawValue)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        let answer: Answer
        do {
            // The client's own deadline ends with the head of the answer.
            answer = try await withDeadline(
                .nanoseconds(timeout.nanoseconds),
                on: SystemSpawner(),
                orThrow: CacheError(.sourceTimedOut, "the answer took too long")
            ) { [request] in
                let response = try await Self.http.execute(request, timeout: timeout)
                return Answer(
                    status: Int(response.status.code),
                    cacheStatus: response.headers.first(name: "Cache-Status"),
                    body: try await response.body.collect(upTo: Self.maxAnswer)
                )
            }
        } catch is NIOTooManyBytesError {
            throw Failure(.badData, "\(url) answered with more than \(Self.maxAnswer >> 20) MiB")
        } catch let error as CacheError {
            throw Failure(.unavailable, "no answer from \(url): \(error.message)")
        } catch {
            throw Failure(.unavailable, "no answer from \(url): \(Self.reason(error))")
        }
        guard answer.status >= 300 else { return answer }
        guard answer.status >= 400 else {
            throw Failure(.badData, "\(url) redirects elsewhere; write the URL of the service itself")
        }
        let error = try? StoredJSON.decode(ErrorBody.self, from: answer.body)
        let text = error.map { "\($0.error): \($0.message)" } ?? "\(url) answered with status \(answer.status)"
        throw Failure(Self.code(of: answer.status), text)
    }

    /// The catalogue of the service.
    func catalogue() async throws -> (catalogue: Catalogue, body: ByteBuffer) {
        let answer = try await send(.get, "/api/fields")
        do {
            return (try StoredJSON.decode(Catalogue.self, from: answer.body), answer.body)
        } catch {
            throw Failure(.badData, "\(url) did not answer as a Freshet service does")
        }
    }

    /// The path of a field, whatever is in its name.
    static func path(_ field: String) -> String {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_.~"))
        return "/api/fields/" + (field.addingPercentEncoding(withAllowedCharacters: allowed) ?? field)
    }

    private static func code(of status: Int) -> Exit {
        switch status {
        case 400, 404, 409: .badData
        case 401, 403: .configuration
        case 502, 503, 504: .unavailable
        default: .internal
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError: error.connectionErrors.first.map { "\($0.error)" } ?? "cannot connect"
        case let error as HTTPClientError: error.description
        default: "\(error)"
        }
    }
}
