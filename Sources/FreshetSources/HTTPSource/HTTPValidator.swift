import Freshet
import NIOHTTP1

/// What makes a request conditional: an ETag, or else the date of the last change.
struct HTTPValidator: Hashable {
    enum Kind { case etag, date }

    let kind: Kind
    let value: String

    /// Servers refuse heads that are too long, so that a longer one would break every request to come.
    private static let longest = 1024

    /// - Returns: nil for what is none.
    private init?(_ kind: Kind, _ value: String?) {
        guard let value, value.utf8.count <= Self.longest, kind == .etag ? Self.isETag(value) : !value.isEmpty else {
            return nil
        }
        self.kind = kind
        self.value = value
    }

    /// The validator of an answer; nil if it has none that can be sent back.
    init?(_ headers: HTTPHeaders) {
        guard
            let validator = HTTPValidator(.etag, headers.first(name: "etag"))
                ?? HTTPValidator(.date, headers.first(name: "last-modified"))
        else { return nil }
        self = validator
    }

    /// As the cache keeps it. An ETag begins with a quotation mark or `W/`, so the two cannot be mistaken.
    var stored: String { kind == .etag ? value : "date:\(value)" }

    /// - Returns: nil for what nobody has stored.
    init?(stored: String) {
        if stored.hasPrefix("date:") {
            self.init(.date, String(stored.dropFirst(5)))
        } else {
            self.init(.etag, stored)
        }
    }

    /// The validator of what the cache holds.
    init?(of context: LoadContext) {
        guard let etag = context.etag else { return nil }
        self.init(stored: etag)
    }

    var requestHeader: String { kind == .etag ? "if-none-match" : "if-modified-since" }

    /// RFC 9110, section 8.8.3.
    private static func isETag(_ text: String) -> Bool {
        let opaque = text.hasPrefix("W/") ? text.utf8.dropFirst(2) : text.utf8[...]
        guard opaque.count >= 2, opaque.first == UInt8(ascii: "\""), opaque.last == UInt8(ascii: "\"") else {
            return false
        }
        return opaque.dropFirst().dropLast().allSatisfy { $0 == 0x21 || $0 >= 0x23 && $0 != 0x7F }
    }
}
