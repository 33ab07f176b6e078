import Foundation

/// Reads what people take for the URL and the token of the REST API.
enum Endpoint {
    static func read(_ text: String) throws -> String {
        guard !text.isEmpty else { throw invalid("The REST URL is empty.") }
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(), text.contains("://")
        else {
            throw invalid("The REST URL is no URL; it looks like https://name.upstash.io.")
        }
        switch scheme {
        case "http", "https": break
        case "redis", "rediss":
            throw invalid(
                """
                The REST URL is the URL for TCP. The one for REST begins with https://; for TCP use the \
                \(scheme):// URL as the store itself.
                """
            )
        default: throw invalid("The REST URL begins with neither https:// nor http://.")
        }
        guard let host = parts.percentEncodedHost, !["", "[]"].contains(host) else {
            throw invalid("The REST URL has no host.")
        }
        guard host.hasPrefix("[") || !host.contains("%") else {
            throw invalid("The REST URL has an international name as host; write it as xn--….")
        }
        if let port = parts.port, !(1...65_535).contains(port) {
            throw invalid("The port of the REST URL is not between 1 and 65535.")
        }
        guard parts.user == nil, parts.password == nil else {
            throw invalid("The REST URL holds a user or password; the token belongs beside it.")
        }
        guard parts.path.allSatisfy({ $0 == "/" }), parts.query == nil, parts.fragment == nil else {
            throw invalid("The REST URL has a path, query or fragment; it is only scheme and host.")
        }
        return "\(scheme)://\(host)\(parts.port.map { ":\($0)" } ?? "")"
    }

    static func token(_ text: String) throws -> String {
        guard !text.isEmpty else { throw invalid("The REST token is empty.") }
        if text.contains("://") {
            throw invalid("The REST token is a URL; copy the value of UPSTASH_REDIS_REST_TOKEN.")
        }
        if text.contains(":") {
            throw invalid("The REST token looks like user:password; the token of the REST API has no colon.")
        }
        if text.contains(where: { "\"'".contains($0) }) {
            throw invalid("The REST token holds a quote; copy it without the quotes around it.")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw invalid("The REST token has characters that no token has.")
        }
        return text
    }

    static func invalid(_ message: String) -> UpstashError { UpstashError(.invalidConfiguration, message) }
}
