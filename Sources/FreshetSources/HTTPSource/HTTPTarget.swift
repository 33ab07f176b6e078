import Foundation
import Freshet

/// A URL that can be asked, what may be said of it, and where its redirects may lead.
struct HTTPTarget: Sendable, Hashable {
    let url: String
    /// For messages, which readers see: without path and query, which may hold a key.
    let name: String
    /// Scheme, host and port: whoever shares them may have the same credentials.
    let origin: String
    private let isEncrypted: Bool

    /// - Throws: `CacheError` with `configuration`.
    init(_ text: String) throws {
        guard let url = URL(string: text), let target = HTTPTarget(url) else {
            throw CacheError(.configuration, "an http source needs a URL with http or https, a host, and no password")
        }
        self = target
    }

    private init?(_ url: URL) {
        guard let scheme = url.scheme?.lowercased(), let host = url.host()?.lowercased(), !host.isEmpty,
            url.user() == nil, url.password() == nil
        else { return nil }
        switch scheme {
        case "http": isEncrypted = false
        case "https": isEncrypted = true
        default: return nil
        }
        let port = url.port ?? (isEncrypted ? 443 : 80)
        origin = "\(scheme)://\(host):\(port)"
        name = "\(scheme)://\(host)\(url.port.map { ":\($0)" } ?? "")"
        var components = URLComponents(url: url, resolvingAgainstBaseURL: true)
        components?.fragment = nil
        self.url = components?.string ?? url.absoluteString
    }

    /// - Throws: `CacheError` with `sourceFailed` for what is no such URL, and where it leads from https to http.
    func redirected(to location: String) throws -> HTTPTarget {
        guard let next = URL(string: location, relativeTo: URL(string: url)).flatMap({ HTTPTarget($0.absoluteURL) })
        else {
            throw CacheError(.sourceFailed, "\(name) redirects to something that is no URL for http or https")
        }
        guard next.isEncrypted || !isEncrypted else {
            throw CacheError(.sourceFailed, "\(name) redirects from https to http, which is not followed")
        }
        return next
    }
}
