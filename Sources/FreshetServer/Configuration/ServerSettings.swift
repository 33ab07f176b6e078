/// How the service listens, and whom it answers.
public struct ServerSettings: Sendable, Hashable {
    public var host = "127.0.0.1"
    /// 0 picks a free one.
    public var port = 8080
    /// Forced refreshes, removal and explanations need it as bearer token.
    public var adminToken: String?
    /// Reads need it, or the admin token, as bearer token.
    public var readToken: String?
    /// Origins whose pages may read answers; `*` for any.
    public var cors: [String] = []

    public init() {}

    /// Whether only this machine can connect.
    public var isLoopback: Bool { Self.isLoopback(host) }

    /// An address without the brackets that it has in URLs: what sockets take.
    package static func bare(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// Whether a host name or address means this machine.
    static func isLoopback(_ host: String) -> Bool {
        let bare = bare(host)
        if bare.lowercased() == "localhost" || bare == "::1" { return true }
        let parts = bare.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

extension ServerSettings: CustomStringConvertible, CustomReflectable {
    /// Host and port; never a token.
    public var description: String { "\(host):\(port)" }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
