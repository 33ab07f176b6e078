/// Entity tags and the condition `If-None-Match` (RFC 9110, 8.8.3 and 13.1.2).
enum EntityTag {
    /// What a condition says of the value that the client holds.
    enum Form {
        case strong
        /// `W/` in front of it, or `*`, which says nothing of any tag.
        case other
    }

    /// Whether a client that sent this condition holds the value already, and how it has its tag. Tags are compared
    /// weakly: a compressed answer and a plain one are the same value.
    ///
    /// - Parameters:
    ///   - condition: the header's value: `*`, or tags separated by commas. What is no tag matches nothing.
    ///   - tag: the opaque part of the value's tag, without quotes.
    /// - Returns: nil if it does not hold the value; `strong` if none of the tags that match is weak.
    static func match(_ condition: String, _ tag: String) -> Form? {
        var rest = condition.utf8[...]
        let blanks: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") }
        rest = rest.drop(while: blanks)
        if rest.elementsEqual("*".utf8) { return .other }
        var form: Form?
        while !rest.isEmpty {
            let isWeak = rest.starts(with: "W/".utf8)
            if isWeak { rest = rest.dropFirst(2) }
            guard rest.first == UInt8(ascii: "\"") else { break }
            rest = rest.dropFirst()
            guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { break }
            if rest[..<end].elementsEqual(tag.utf8) {
                if isWeak { return .other }
                form = .strong
            }
            rest = rest[rest.index(after: end)...].drop(while: blanks)
        }
        return form
    }
}
