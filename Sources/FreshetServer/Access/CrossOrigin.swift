import HTTPTypes
import Hummingbird

/// Lets pages of other origins read answers (the Fetch standard's CORS protocol).
struct CrossOrigin: Sendable {
    private let origins: Set<String>

    /// - Returns: nil where there are no origins to let in.
    init?(origins: [String]) {
        guard !origins.isEmpty else { return nil }
        self.origins = Set(origins)
    }

    private func isAllowed(_ origin: String) -> Bool { origins.contains("*") || origins.contains(origin) }

    /// The answer to a preflight; nil for every other request.
    func preflight(_ request: Request) -> Response? {
        guard request.method == .options, let origin = request.headers[.origin],
            request.headers.contains(.accessControlRequestMethod)
        else { return nil }
        var response = Response(status: .noContent)
        decorate(&response, for: request)
        guard isAllowed(origin) else { return response }
        response.headers[.accessControlAllowMethods] = "GET, HEAD, POST, DELETE"
        response.headers[.accessControlAllowHeaders] = "Authorization, Content-Type, If-None-Match"
        response.headers[.accessControlMaxAge] = "600"
        return response
    }

    /// Adds what lets the page read the answer.
    func decorate(_ response: inout Response, for request: Request) {
        let origin = request.headers[.origin]
        response.headers.append(contentsOf: origin == nil ? [.vary: "Origin"] : fields(for: origin))
    }

    /// What lets a page of that origin read an answer; nil stands for any.
    func fields(for origin: String?) -> HTTPFields {
        var fields: HTTPFields = [.vary: "Origin"]
        guard let allowed = origins.contains("*") ? "*" : origin, origins.contains(allowed) else { return fields }
        fields[.accessControlAllowOrigin] = allowed
        fields[.accessControlExposeHeaders] = "Age, Cache-Status, ETag, Retry-After"
        return fields
    }
}
