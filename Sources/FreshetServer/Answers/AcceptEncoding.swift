/// The request header `Accept-Encoding` (RFC 9110, 12.5.3), as far as gzip goes.
enum AcceptEncoding {
    /// Whether a client that sent this header takes gzip: named, or by `*`, with a weight above 0.
    static func takesGzip(_ header: String?) -> Bool {
        guard let header, header.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "z") || $0 == UInt8(ascii: "*") })
        else {
            return false
        }
        var byWildcard = false
        for item in header.split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { !$0.isWhitespace }.lowercased() }
            guard let coding = parts.first else { continue }
            let isWanted = !parts.dropFirst().contains { $0.hasPrefix("q=") && !isAboveZero($0.dropFirst(2)) }
            if coding == "gzip" || coding == "x-gzip" { return isWanted }
            if coding == "*" { byWildcard = isWanted }
        }
        return byWildcard
    }

    private static func isAboveZero(_ weight: Substring) -> Bool {
        weight.allSatisfy { "0123456789.".contains($0) } && weight.contains { $0 != "0" && $0 != "." }
    }
}
