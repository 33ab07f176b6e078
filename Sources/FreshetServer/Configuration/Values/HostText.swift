import NIOCore

/// Hosts to listen on as they are written in a configuration: `127.0.0.1`, `::1`, `[::1]`, `db-1.internal`.
enum HostText {
    static let advice = "write a name, or an address such as 127.0.0.1 or ::1, without scheme and port"

    /// Whether a text can name a host.
    static func isHost(_ text: String) -> Bool {
        let bare = ServerSettings.bare(text)
        if bare.contains(":") {
            // What follows the % names an interface.
            return (try? SocketAddress(ipAddress: String(bare.prefix { $0 != "%" }), port: 0)) != nil
        }
        return !bare.isEmpty && bare.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) }
    }

    /// What is wrong with the host that an origin other than a file says; nil where nothing is.
    static func problem(_ host: String, origin: String) -> ConfigurationProblem? {
        if isHost(host) { return nil }
        let isBlank = host.allSatisfy(\.isWhitespace)
        let message = isBlank ? "there is no address to listen on" : "'\(host)' is no host to listen on"
        return ConfigurationProblem(origin: origin, message: message, advice: advice)
    }
}
