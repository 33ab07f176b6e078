import HTTPTypes
import Hummingbird

/// Who may read and who may change.
///
/// Changes – forced refreshes, expiry, removal – and explanations need the admin token. Where none is set they are taken
/// only from this machine, with the read token if there is one: the listener must be a loopback one, the request must name a
/// loopback host, must not have come through a proxy, and must not have been sent by another site's page. Behind
/// authentication of your own, ``decidedByRouter`` leaves all that to it.
public struct AccessPolicy: Sendable {
    public var adminToken: String?
    /// Reads need it, or the admin token; nil lets everybody read.
    public var readToken: String?
    /// Whether only this machine can connect to the listener.
    public var listensOnLoopback: Bool
    private var isDecidedByRouter = false

    public init(adminToken: String? = nil, readToken: String? = nil, listensOnLoopback: Bool = false) {
        self.adminToken = adminToken
        self.readToken = readToken
        self.listensOnLoopback = listensOnLoopback
    }

    /// For routes of a router whose middleware has authenticated: whoever reaches them may read and change.
    ///
    /// ```swift
    /// let editors = router.group("editors").add(middleware: authentication)
    /// FieldRoutes(cache: fields, access: .decidedByRouter).addRoutes(to: editors)
    /// ```
    ///
    /// - Warning: Nothing is checked here: neither tokens nor where a request comes from. Without such a middleware, or where
    ///   it is added after the routes, which a router then leaves out, everybody may remove every value and have the sources
    ///   asked without end. One that goes by cookies must itself refuse what other sites' pages send.
    public static var decidedByRouter: AccessPolicy {
        var policy = AccessPolicy()
        policy.isDecidedByRouter = true
        return policy
    }

    /// The answer to somebody who may not; nil for those who may.
    func refusalToRead(_ request: Request) -> Response? {
        guard let readToken else { return nil }
        guard let token = bearerToken(of: request) else { return Self.unauthorized("a bearer token is needed") }
        if SecretText.equal(token, readToken) { return nil }
        if let adminToken, SecretText.equal(token, adminToken) { return nil }
        return Self.unauthorized("the bearer token is not the right one")
    }

    /// The answer to somebody who may not; nil for those who may.
    func refusalToAdminister(_ request: Request) -> Response? {
        if let adminToken {
            guard let token = bearerToken(of: request) else { return Self.unauthorized("the admin token is needed") }
            return SecretText.equal(token, adminToken)
                ? nil : Self.unauthorized("the bearer token is not the admin token")
        }
        if let refusal = refusalToRead(request) { return refusal }
        guard isDecidedByRouter || listensOnLoopback && Self.isLocal(request) else {
            return ErrorResponse.make(
                .forbidden,
                "Forbidden",
                "no admin token is set, so this is taken only from this machine; set one (the service's: FRESHET_ADMIN_TOKEN)"
            )
        }
        return nil
    }

    private func bearerToken(of request: Request) -> String? {
        guard let header = request.headers[.authorization] else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return parts[1].trimmingPrefix { $0 == " " }.description
    }

    private static func unauthorized(_ message: String) -> Response {
        var response = ErrorResponse.make(.unauthorized, "Unauthorized", message)
        response.headers[.wwwAuthenticate] = "Bearer"
        return response
    }
}

extension AccessPolicy: CustomStringConvertible, CustomReflectable {
    /// Which tokens are set; never a token.
    public var description: String {
        "admin token \(adminToken == nil ? "not " : "")set, read token \(readToken == nil ? "not " : "")set"
            + (isDecidedByRouter ? ", decided by the router" : "")
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension AccessPolicy {
    private static let forwardingHeaders: [HTTPField.Name] = [
        "Forwarded", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP",
        "Fly-Client-IP", "Via",
    ].compactMap { HTTPField.Name($0) }

    private static let forwardingPrefixes = ["x-forwarded", "x-original-forwarded"]

    /// Whether a request was made by a program or a page of this machine, as far as it tells. Where it has several
    /// values of a header, all of them have to say so.
    private static func isLocal(_ request: Request) -> Bool {
        namesLoopbackOnly(request) && !isForwarded(request.headers) && !isOfAnotherSite(request.headers)
    }

    private static func namesLoopbackOnly(_ request: Request) -> Bool {
        guard let host = request.head.authority else { return false }
        return ([host] + request.headers.values(of: .furtherHost)).allSatisfy(isLoopback)
    }

    private static func isForwarded(_ headers: HTTPFields) -> Bool {
        headers.contains { header in
            forwardingHeaders.contains(header.name)
                || forwardingPrefixes.contains(where: header.name.canonicalName.hasPrefix)
        }
    }

    private static func isOfAnotherSite(_ headers: HTTPFields) -> Bool {
        let sites = Set(headers.values(of: .secFetchSite))
        guard sites.isEmpty || sites.count == 1 && sites.isSubset(of: ["same-origin", "same-site", "none"]) else {
            return true
        }
        return !headers[values: .origin].allSatisfy { origin in
            origin.firstRange(of: "://").map { isLoopback(authority: String(origin[$0.upperBound...])) } ?? false
        }
    }

    /// Whether `host` or `host:port` is a loopback one.
    private static func isLoopback(authority: String) -> Bool {
        let host: Substring
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[...end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return false }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            guard isPort(authority[colon...]) else { return false }
        } else {
            host = authority[...]
        }
        return ServerSettings.isLoopback(String(host))
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && UInt16(text.dropFirst()) != nil
    }
}
