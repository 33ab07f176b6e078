public import AsyncHTTPClient
public import Freshet
import HTTPAsking
import NIOCore
import NIOHTTP1

/// JSON from a URL.
///
/// It sends the validator of the last answer, an ETag or a date, so that a server that knows conditional requests
/// answers 304 while nothing has changed. Only the URL that gave it gets it, behind redirects too, and a date counts
/// only if the answer is at least two seconds younger. 404 and 410 mean that there is no value; 429 is
/// `overloaded`, every other status but 200 `sourceFailed`, as is an answer that is no JSON.
public struct HTTPSource: FieldSource {
    public struct Configuration: Sendable {
        /// How long the whole exchange may take, redirects included.
        public var timeout: Duration = .seconds(30)
        /// A larger answer, in bytes after decompression, is an error.
        public var maxBytes = 64 << 20
        public var maxRedirects = 5

        public init() {}
    }

    private let target: HTTPTarget
    private let headers: HTTPHeaders
    private let configuration: Configuration
    private let httpClient: HTTPClient

    /// - Parameters:
    ///   - url: `http` or `https`, without user and password; those go into a header. An international host is written
    ///     as `xn--…`. Characters that no URL may have are percent-encoded behind the host, as in redirects; what is
    ///     encoded already stays.
    ///   - headers: sent to the URL's own origin only, never to where it redirects to elsewhere.
    ///   - httpClient: must not follow redirects itself, and should use HTTP/1.1 only (`httpVersion`): over HTTP/2 every
    ///     load goes on failing on a connection that is dead. It asks for compressed answers only if its `decompression`
    ///     is enabled, and an answer with a status below 100 ends the process in it. Without one, all sources share one,
    ///     which refuses such an answer.
    /// - Throws: `CacheError` with `configuration`; its message repeats neither the query of the URL nor any header.
    public init(
        url: String,
        headers: [String: String] = [:],
        configuration: Configuration = Configuration(),
        httpClient: HTTPClient? = nil
    ) throws {
        target = try HTTPTarget(url)
        self.headers = try Self.validated(headers)
        self.configuration = configuration
        self.httpClient = httpClient ?? HTTPAsking.client
    }

    private static func validated(_ headers: [String: String]) throws -> HTTPHeaders {
        var result = HTTPHeaders()
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            try check(header: name, value)
            result.add(name: name, value: value)
        }
        return result
    }

    /// - Throws: what a source with that URL would.
    package static func check(url: String) throws { _ = try HTTPTarget(url) }

    /// - Throws: what a source with that header would.
    package static func check(header name: String, _ value: String) throws {
        guard isToken(name) else { throw CacheError(.configuration, "'\(name.prefix(50))' is no name of a header") }
        guard !value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else {
            throw CacheError(.configuration, "the value of the header \(name) has control characters")
        }
    }

    /// RFC 9110, section 5.6.2.
    private static func isToken(_ text: String) -> Bool {
        let marks = "!#$%&'*+-.^_`|~"
        return !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || marks.contains($0)) }
    }
}

extension HTTPSource: CustomStringConvertible, CustomReflectable {
    /// Scheme, host and port; never path, query or headers, which may hold a key.
    public var description: String { target.name }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension HTTPSource {
    public func load(_ context: LoadContext) async throws -> LoadResult<JSONValue> {
        let deadline = NIODeadline.now() + .nanoseconds(configuration.timeout.clampedNanoseconds)
        // The client's own deadline ends with the head of the answer.
        return try await withDeadline(
            configuration.timeout,
            on: SystemSpawner(),
            orThrow: CacheError(.sourceTimedOut, "\(target.name) did not answer in time")
        ) {
            let (response, asked) = try await follow(context, until: deadline)
            return try await result(of: response, asked, context)
        }
    }

    /// What is thrown when the exchange with a target failed: `CacheError` or `CancellationError`.
    private func failure(_ error: any Error, _ asked: HTTPTarget) -> any Error {
        if Task.isCancelled || error is CancellationError { return CancellationError() }
        if error is NIOTooManyBytesError {
            let message = "the answer of \(asked.name) is larger than \(configuration.maxBytes) bytes"
            return CacheError(.sourceFailed, message)
        }
        if HTTPAsking.isTimeout(error) {
            return CacheError(.sourceTimedOut, "\(asked.name) did not answer in time", underlying: error)
        }
        if HTTPAsking.isPoolFull(error) {
            return CacheError(.overloaded, "too much is asked of \(asked.name) at once", underlying: error)
        }
        let message = "asking \(asked.name) failed: \(HTTPAsking.reason(error))"
        return CacheError(.sourceFailed, message, underlying: error)
    }

    /// Asks, and goes where redirects lead.
    private func follow(_ context: LoadContext, until deadline: NIODeadline) async throws
        -> (HTTPClientResponse, HTTPTarget)
    {
        var current = target
        for _ in 0...max(0, configuration.maxRedirects) {
            let response: HTTPClientResponse
            do {
                response = try await exchange(request(to: current, context), until: deadline)
            } catch {
                throw failure(error, current)
            }
            guard [301, 302, 303, 307, 308].contains(response.status.code) else { return (response, current) }
            guard let location = response.headers.first(name: "location") else {
                throw CacheError(.sourceFailed, "\(current.name) redirects to nowhere")
            }
            current = try current.redirected(to: location)
        }
        throw CacheError(.sourceFailed, "\(target.name) redirects more than \(configuration.maxRedirects) times")
    }

    /// Asks once more where the connection ended: one that is kept may just as the request goes out (RFC 9112, 9.3.1).
    private func exchange(_ request: HTTPClientRequest, until deadline: NIODeadline) async throws
        -> HTTPClientResponse
    {
        // Without a logger: the client would tell it all that comes.
        do {
            return try await httpClient.execute(request, deadline: deadline)
        } catch let error where HTTPAsking.isConnectionLost(error) {
            return try await httpClient.execute(request, deadline: deadline)
        }
    }

    private func request(to target: HTTPTarget, _ context: LoadContext) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: target.url)
        if target.origin == self.target.origin { request.headers = headers }
        func setDefault(_ name: String, _ value: String) {
            if !request.headers.contains(name: name) { request.headers.add(name: name, value: value) }
        }
        setDefault("accept", "application/json")
        if let coding = HTTPAsking.acceptEncoding(for: httpClient) { setDefault("accept-encoding", coding) }
        setDefault("user-agent", "freshet")
        if context.isForced { setDefault("cache-control", "no-cache") }
        if let validator = HTTPValidator(of: context, from: target) {
            request.headers.replaceOrAdd(name: validator.requestHeader, value: validator.value)
        }
        return request
    }

    private func result(of response: HTTPClientResponse, _ asked: HTTPTarget, _ context: LoadContext) async throws
        -> LoadResult<JSONValue>
    {
        switch response.status.code {
        case 200: break
        case 304 where HTTPValidator(of: context, from: asked) != nil: return .notModified
        case 404, 410: return .absent
        default: throw HTTPRefusal(response, asked).error
        }
        let type = HTTPAsking.mediaType(response.headers)
        // Many servers of plain files call JSON text.
        guard ["", "application/json", "text/json", "text/plain"].contains(type) || type.hasSuffix("+json") else {
            throw CacheError(.sourceFailed, "\(asked.name) answered with \(type.printable(100)), not with JSON")
        }
        let body: ByteBuffer
        do {
            body = try await response.body.collect(upTo: configuration.maxBytes)
        } catch {
            throw failure(error, asked)
        }
        do {
            let value = try StoredJSON.decode(JSONValue.self, from: body, inAnyUnicode: true)
            return .value(value, LoadDetails(etag: HTTPValidator(response.headers, of: asked)?.stored))
        } catch {
            let reason = (error as? CacheError)?.message ?? "\(error)"
            let message = "the answer of \(asked.name) cannot be read: \(reason)"
            throw CacheError(.sourceFailed, message, underlying: error)
        }
    }
}
