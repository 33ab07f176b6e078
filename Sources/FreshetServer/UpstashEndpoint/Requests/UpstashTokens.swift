/// Who sent a request.
struct UpstashTokens: Sendable {
    enum Access: Sendable, Hashable {
        case full
        case readOnly
    }

    let token: String
    let readOnlyToken: String?

    /// `_token` wins over the header, which may hold the token alone. Both tokens are compared, whichever it is.
    func access(query: String?, header: String?) -> Access? {
        guard let given = query ?? header.map(Self.bearer) else { return nil }
        let isFull = SecretText.equal(given, token)
        let isReadOnly = SecretText.equal(given, readOnlyToken ?? "")
        return isFull ? .full : isReadOnly ? .readOnly : nil
    }

    private static func bearer(_ header: String) -> String {
        let parts = header.split(separator: " ", omittingEmptySubsequences: true)
        if parts.count == 2, parts[0].lowercased() == "bearer" { return String(parts[1]) }
        return header
    }
}
