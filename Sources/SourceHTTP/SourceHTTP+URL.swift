package import Foundation

extension SourceHTTP {
    /// Whether a URL can be asked. The client ends the process at a port that there is not, beside an IP address, and
    /// asks for `/` where the path is no text.
    package static func canAsk(_ url: URL) -> Bool {
        guard ["http", "https"].contains(url.scheme?.lowercased()), url.host()?.isEmpty == false else { return false }
        guard url.path(percentEncoded: false).isEmpty == url.path().isEmpty else { return false }
        return url.user() == nil && url.password() == nil && (1...65_535).contains(url.port ?? 80)
    }

    /// What ``canAsk(_:)`` asks for, in words.
    package static let demands =
        "http or https, a host, neither user nor password, no port but 1 to 65535, and a path in UTF-8"
}
