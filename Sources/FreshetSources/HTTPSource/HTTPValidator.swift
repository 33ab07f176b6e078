import Foundation
import Freshet
import HTTPAsking
import NIOHTTP1

/// What makes a request conditional: an ETag, or else the date of the last change. It says nothing of other URLs than
/// the one that gave it, such as the next that a redirect leads to.
struct HTTPValidator: Hashable {
    enum Kind { case etag, date }

    let kind: Kind
    let value: String
    /// Fingerprint of the URL that gave it.
    private let fingerprint: String

    /// Servers refuse heads that are too long, so that a longer one would break every request to come.
    private static let longest = 1024

    /// - Returns: nil for what is none.
    private init?(_ kind: Kind, _ value: String?, of target: HTTPTarget) {
        guard let value, kind == .etag ? Self.isETag(value) : !value.isEmpty else { return nil }
        self.kind = kind
        self.value = value
        fingerprint = target.fingerprint
        guard stored.utf8.count <= Self.longest else { return nil }
    }

    /// The validator of a target's answer; nil if it has none that can be sent back.
    init?(_ headers: HTTPHeaders, of target: HTTPTarget) {
        guard
            let validator = HTTPValidator(.etag, headers.first(name: "etag"), of: target)
                ?? HTTPValidator(.date, Self.lastModified(headers), of: target)
        else { return nil }
        self = validator
    }

    /// - Returns: nil for a date so late that another change may have had the same (RFC 9110, 8.8.2.2).
    private static func lastModified(_ headers: HTTPHeaders) -> String? {
        guard let text = headers.first(name: "last-modified"), let changed = HTTPAsking.date(text) else { return nil }
        // A server without a clock says no date (6.6.1).
        let answered = headers.first(name: "date").flatMap(HTTPAsking.date) ?? Date()
        return answered.timeIntervalSince(changed) >= 2 ? text : nil
    }

    /// As the cache keeps it. An ETag begins with a quotation mark or `W/`, so the two cannot be mistaken.
    var stored: String { "\(fingerprint):\(kind == .etag ? value : "date:\(value)")" }

    /// - Returns: nil for what no answer of the target has left.
    init?(stored: String, of target: HTTPTarget) {
        let mark = target.fingerprint + ":"
        guard stored.hasPrefix(mark) else { return nil }
        let text = String(stored.dropFirst(mark.count))
        if text.hasPrefix("date:") {
            self.init(.date, String(text.dropFirst(5)), of: target)
        } else {
            self.init(.etag, text, of: target)
        }
    }

    /// The validator of what the cache holds, if the target gave it.
    init?(of context: LoadContext, from target: HTTPTarget) {
        guard let etag = context.etag else { return nil }
        self.init(stored: etag, of: target)
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
