import NIOHTTP1

/// What makes a request conditional: an ETag, or else the date of the last change.
struct HTTPValidator: Hashable {
    enum Kind { case etag, date }

    let kind: Kind
    let value: String

    /// The validator of an answer; nil if it has none.
    init?(_ headers: HTTPHeaders) {
        if let etag = headers.first(name: "etag"), !etag.isEmpty {
            (kind, value) = (.etag, etag)
        } else if let date = headers.first(name: "last-modified"), !date.isEmpty {
            (kind, value) = (.date, date)
        } else {
            return nil
        }
    }

    /// As the cache keeps it. An ETag begins with a quotation mark or `W/`, so the two cannot be mistaken.
    var stored: String { kind == .etag ? value : "date:\(value)" }

    init(stored: String) {
        let isDate = stored.hasPrefix("date:")
        kind = isDate ? .date : .etag
        value = isDate ? String(stored.dropFirst(5)) : stored
    }

    var requestHeader: String { kind == .etag ? "if-none-match" : "if-modified-since" }
}
