package import Foundation

extension HTTPAsking {
    /// Whether a URL can be asked. The client ends the process at a port that there is not, beside an IP address, asks
    /// for `/` where the path is no text, and finds no host whose name is encoded, as international ones are.
    package static func canAsk(_ url: URL) -> Bool {
        guard ["http", "https"].contains(url.scheme?.lowercased()), let host = url.host(), !host.isEmpty else {
            return false
        }
        // IPv6 has colons, and may have an encoded zone.
        guard host.contains(":") || !host.contains("%") else { return false }
        guard url.path(percentEncoded: false).isEmpty == url.path().isEmpty else { return false }
        return url.user() == nil && url.password() == nil && (1...65_535).contains(url.port ?? 80)
    }

    /// What ``canAsk(_:)`` asks for, in words.
    package static let demands =
        """
        http or https, a host (an international name as xn--…), neither user nor password, no port but 1 to 65535, \
        and a path in UTF-8
        """
}
