package import Foundation

extension HTTPAsking {
    /// The URL of a text. `URL(string:)` encodes the whole of a path or query that has an illegal character, and so
    /// twice what is encoded already; here only illegal bytes behind the authority are, and a `%` that encodes nothing.
    ///
    /// - Parameter base: what a relative reference begins at.
    package static func url(_ text: String, relativeTo base: URL? = nil) -> URL? {
        let bytes = Array(text.utf8)
        var rest = bytes[endOfAuthority(in: bytes)...]
        var legal = Array(bytes[..<rest.startIndex])
        var hasFragment = false
        while let byte = rest.popFirst() {
            let isLegal =
                switch byte {
                case UInt8(ascii: "%"): rest.count >= 2 && rest.prefix(2).allSatisfy(digits.contains)
                case UInt8(ascii: "#"): !hasFragment
                default: plain.contains(byte)
                }
            if byte == UInt8(ascii: "#") { hasFragment = true }
            legal += isLegal ? [byte] : encoded(byte)
        }
        return URL(string: String(decoding: legal, as: UTF8.self), relativeTo: base)
    }

    /// Where path, query and fragment begin (RFC 3986, appendix B).
    private static func endOfAuthority(in bytes: [UInt8]) -> Int {
        var rest = bytes[...]
        let end = bytes.firstIndex { ":/?#".utf8.contains($0) }
        if let end, end > 0, bytes[end] == UInt8(ascii: ":") { rest = bytes[(end + 1)...] }
        guard rest.starts(with: "//".utf8) else { return rest.startIndex }
        return rest.dropFirst(2).firstIndex { "/?#".utf8.contains($0) } ?? rest.endIndex
    }

    private static func encoded(_ byte: UInt8) -> [UInt8] {
        Array("%\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))".utf8)
    }

    private static let digits = Set("0123456789ABCDEFabcdef".utf8)
    /// What paths and queries may have besides `%` (RFC 3986, 3.3 and 3.4).
    private static let plain = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/?".utf8
    )
}
