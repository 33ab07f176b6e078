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
        let parts = header.utf8.split(separator: UInt8(ascii: " "))
        guard parts.count == 2, parts[0].elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 }) else { return header }
        return String(Substring(parts[1]))
    }
}

extension UpstashTokens: CustomStringConvertible, CustomReflectable {
    /// How many there are.
    var description: String { readOnlyToken == nil ? "one token" : "two tokens" }

    var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
