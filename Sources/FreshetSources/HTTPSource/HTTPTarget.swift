import Foundation
import Freshet
import HTTPAsking
import NIOCore

/// A URL that can be asked, what may be said of it, and where its redirects may lead.
struct HTTPTarget: Sendable, Hashable {
    let url: String
    /// For messages, which readers see: without path and query, which may hold a key.
    let name: String
    /// Scheme, host and port: whoever shares them may have the same credentials.
    let origin: String
    /// Stands for the URL where that is not kept, since it may hold a key.
    let fingerprint: String
    private let isEncrypted: Bool

    /// - Throws: `CacheError` with `configuration`.
    init(_ text: String) throws {
        guard let url = HTTPAsking.url(text), let target = HTTPTarget(url) else {
            throw CacheError(.configuration, "an http source needs a URL with \(HTTPAsking.demands)")
        }
        self = target
    }

    private init?(_ url: URL) {
        guard HTTPAsking.canAsk(url), let scheme = url.scheme?.lowercased(), let address = url.host()?.lowercased()
        else { return nil }
        let host = address.contains(":") ? "[\(address)]" : address
        isEncrypted = scheme == "https"
        let port = url.port ?? (isEncrypted ? 443 : 80)
        origin = "\(scheme)://\(host):\(port)"
        name = "\(scheme)://\(host)\(url.port.map { ":\($0)" } ?? "")"
        var components = URLComponents(url: url, resolvingAgainstBaseURL: true)
        components?.fragment = nil
        let text = components?.string ?? url.absoluteString
        self.url = text
        fingerprint = String(ByteBuffer(string: text).sha1.prefix(12))
    }

    /// - Throws: `CacheError` with `sourceFailed` for what is no such URL, and where it leads from https to http.
    func redirected(to location: String) throws -> HTTPTarget {
        let reference = HTTPAsking.url(location, relativeTo: URL(string: url))
        guard let next = reference.flatMap({ HTTPTarget($0.absoluteURL) }) else {
            let problem = "no URL for http or https, or has a port that there is not or a path that is not UTF-8"
            throw CacheError(.sourceFailed, "\(name) redirects to something that is \(problem)")
        }
        guard next.isEncrypted || !isEncrypted else {
            throw CacheError(.sourceFailed, "\(name) redirects from https to http, which is not followed")
        }
        return next
    }
}
