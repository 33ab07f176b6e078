import AsyncHTTPClient
import Foundation
import Freshet
import FreshetServer
import HTTPAsking
import NIOCore
import NIOHTTP1

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

    /// What a load came to.
    enum Loaded {
        case value(bytes: Int, status: String)
        /// The source has no value, with the service's words for it.
        case absent(String)
    }

    private static let maxAnswer = 256 << 20

    /// Not the shared client: that goes on trying where nobody listens, and follows redirects.
    private static let http = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: HTTPAsking.configuration(connectTimeout: .seconds(5))
    )

    private let url: String
    private let token: String?

    /// - Throws: ``Failure`` with `usage` for what is no URL, and what cannot be a token. Both may hold a secret, so its
    ///   message repeats neither.
    init(url: String, token: String?) throws {
        let parsed = URL(string: url)
        guard parsed?.user() == nil, parsed?.password() == nil else {
            throw Failure(.usage, "the URL holds a user or password; the token belongs in --token")
        }
        guard let parsed, HTTPAsking.canAsk(parsed), parsed.query() == nil, parsed.fragment() == nil else {
            throw Failure(.usage, "the URL is none of a service; write http://host:port")
        }
        guard token.map(SecretText.canBeSent) ?? true else {
            throw Failure(.usage, "the token (--token, $FRESHET_ADMIN_TOKEN) has other characters than visible ASCII")
        }
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.token = token
    }

    /// - Throws: ``Failure``, with the exit code and the text that fit.
    func send(_ method: Method, _ path: String) async throws -> Answer {
        let answer = try await ask(method, path, within: .seconds(120))
        if let failure = failure(of: answer) { throw failure }
        return answer
    }

    /// Asks for a value. There is no telling how long a load takes: the service knows when to give up, unless it hangs.
    ///
    /// - Throws: ``Failure``.
    func load(_ field: FieldArgument, _ method: Method, _ path: String) async throws -> Loaded {
        let answer = try await ask(method, path, within: .seconds(3600))
        if let failure = failure(of: answer) {
            let isAbsent = errorBody(of: answer)?.error == ErrorResponse.absence(of: field.text)
            if answer.status == 404, isAbsent { return .absent(failure.message) }
            throw failure
        }
        guard let status = answer.cacheStatus, status.hasPrefix("freshet") else { throw notAService }
        return .value(bytes: answer.body.readableBytes, status: status)
    }

    private func ask(_ method: Method, _ path: String, within limit: Duration) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = HTTPMethod(rawValue: method.rawValue)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        do {
            let late = CacheError(.sourceTimedOut, "the answer took too long")
            return try await withDeadline(limit, on: SystemSpawner(), orThrow: late) { [request] in
                try await Self.execute(request)
            }
        } catch let error where HTTPAsking.isNoHTTP(error) {
            throw notAService
        } catch is NIOTooManyBytesError {
            throw Failure(.badData, "\(url) answered with more than \(Self.maxAnswer >> 20) MiB")
        } catch let error as CacheError {
            throw Failure(.unavailable, "no answer from \(url): \(error.message)")
        } catch {
            throw Failure(.unavailable, "no answer from \(url): \(Reason.text(error))")
        }
    }

    /// Without a deadline of the client's, which would end with the head of the answer.
    private static func execute(_ request: HTTPClientRequest) async throws -> Answer {
        let response = try await http.execute(request, deadline: .distantFuture)
        return Answer(
            status: Int(response.status.code),
            cacheStatus: response.headers.first(name: "Cache-Status"),
            body: try await response.body.collect(upTo: maxAnswer)
        )
    }

    private func failure(of answer: Answer) -> Failure? {
        guard answer.status >= 300 else { return nil }
        guard answer.status >= 400 else {
            return Failure(.badData, "\(url) redirects elsewhere; write the URL of the service itself")
        }
        let error = errorBody(of: answer)
        let text = error.map { "\($0.error): \($0.message)" } ?? "\(url) answered with status \(answer.status)"
        let code = Self.code(of: answer.status)
        // A service says what is wrong with it.
        return Failure(error == nil && code == .internal ? .badData : code, text.printable())
    }

    private func errorBody(of answer: Answer) -> ErrorResponse.Body? {
        try? StoredJSON.decode(ErrorResponse.Body.self, from: answer.body)
    }

    private var notAService: Failure { Failure(.badData, "\(url) did not answer as a Freshet service does") }

    /// The catalogue of the service.
    func catalogue() async throws -> (catalogue: Catalogue, body: ByteBuffer) {
        let answer = try await send(.get, "/api/fields")
        do {
            return (try StoredJSON.decode(Catalogue.self, from: answer.body), answer.body)
        } catch {
            throw notAService
        }
    }

    /// The names of all fields.
    func fieldNames() async throws -> [FieldArgument] {
        try await catalogue().catalogue.fields.map { field in
            guard let name = FieldArgument(argument: field.name) else { throw notAService }
            return name
        }
    }

    private static func code(of status: Int) -> Exit {
        switch status {
        case 401, 403: .configuration
        case 408, 425, 429, 502, 503, 504: .unavailable
        case 400..<500: .badData
        default: .internal
        }
    }
}
