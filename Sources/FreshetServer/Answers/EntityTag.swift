/// Entity tags and the condition `If-None-Match` (RFC 9110, 8.8.3 and 13.1.2).
enum EntityTag {
    /// Whether a client that sent this condition holds the value already. Tags are compared weakly: a compressed answer
    /// and a plain one are the same value.
    ///
    /// - Parameters:
    ///   - condition: the header's value: `*`, or tags separated by commas. What is no tag matches nothing.
    ///   - tag: the opaque part of the value's tag, without quotes.
    static func matches(_ condition: String, _ tag: String) -> Bool {
        var rest = condition.utf8[...]
        let blanks: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") }
        rest = rest.drop(while: blanks)
        if rest.elementsEqual("*".utf8) { return true }
        while !rest.isEmpty {
            if rest.starts(with: "W/".utf8) { rest = rest.dropFirst(2) }
            guard rest.first == UInt8(ascii: "\"") else { return false }
            rest = rest.dropFirst()
            guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { return false }
            if rest[..<end].elementsEqual(tag.utf8) { return true }
            rest = rest[rest.index(after: end)...].drop(while: blanks)
        }
        return false
    }
}
