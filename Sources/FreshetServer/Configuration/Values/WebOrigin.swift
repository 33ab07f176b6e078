import Foundation
import HTTPAsking

/// Origins of web pages, which are compared with what browsers send as `Origin`, byte for byte.
enum WebOrigin {
    /// Whether a text is an origin as browsers write it (RFC 6454, section 6.2).
    static func isWritten(_ text: String) -> Bool {
        guard let url = URL(string: text), HTTPAsking.canAsk(url), let scheme = url.scheme, let host = url.host(),
            !host.contains("*")
        else { return false }
        let port = url.port.flatMap { $0 == (scheme == "https" ? 443 : 80) ? nil : ":\($0)" } ?? ""
        return text == "\(scheme)://\(host.contains(":") ? "[\(host)]" : host)\(port)".lowercased()
    }
}
