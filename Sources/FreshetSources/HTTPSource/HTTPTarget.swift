import Foundation
import Freshet
import SourceHTTP

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
            throw CacheError(.configuration, "an http source needs a URL with \(SourceHTTP.demands)")
        }
        self = target
    }

    private init?(_ url: URL) {
        guard SourceHTTP.canAsk(url), let scheme = url.scheme?.lowercased(), let host = url.host()?.lowercased() else {
            return nil
        }
        isEncrypted = scheme == "https"
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
            throw CacheError(
                .sourceFailed,
                "\(name) redirects to something that is no URL for http or https, or has a port that there is not"
            )
        }
        guard next.isEncrypted || !isEncrypted else {
            throw CacheError(.sourceFailed, "\(name) redirects from https to http, which is not followed")
        }
        return next
    }
}
