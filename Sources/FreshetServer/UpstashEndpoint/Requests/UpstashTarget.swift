import NIOCore

/// A request's path and query, taken apart and decoded. Byte by byte: what follows a slash never makes it another one.
struct UpstashTarget {
    /// Binary-safe.
    private(set) var path: [ByteBuffer] = []
    /// Names and values in their order; a name without `=` has no value.
    private(set) var query: [(name: ByteBuffer, value: ByteBuffer?)] = []
    /// `_token`, which is no argument. The last one counts.
    private(set) var token: String?

    /// - Parameter text: as in the request's head: `/set/key?EX=100`, or the same behind `http://host`.
    /// - Throws: ``UpstashRefusal`` for what is neither, and for broken percent signs.
    init(_ text: String) throws {
        let bytes = try Self.withoutOrigin(text.utf8[...])
        let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        var components = bytes[..<end].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
        // A slash at the end is no empty argument.
        if components.last?.isEmpty == true { components.removeLast() }
        // Nor is one before the name, as behind a base URL that ends in one.
        components = components.drop { $0.isEmpty }
        path = try components.map { try Self.decoded($0, of: text) }
        for item in bytes[end...].dropFirst().split(separator: UInt8(ascii: "&")) {
            let pair = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decoded(pair[0], of: text, plusIsSpace: true)
            let value = try pair.count > 1 ? Self.decoded(pair[1], of: text, plusIsSpace: true) : nil
            if name == ByteBuffer(string: "_token") {
                token = value.map { String(buffer: $0) } ?? ""
            } else {
                query.append((name, value))
            }
        }
    }

    /// Proxies are sent whole URLs (RFC 9112, section 3.2.2).
    private static func withoutOrigin(_ text: Substring.UTF8View) throws -> Substring.UTF8View {
        if text.first == UInt8(ascii: "/") { return text }
        for scheme in ["http://", "https://"] {
            guard Substring(text.prefix(scheme.utf8.count)).lowercased() == scheme else { continue }
            return text.dropFirst(scheme.utf8.count).drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        }
        throw UpstashRefusal("ERR invalid URL: it begins neither with a slash nor with http://")
    }

    private static func decoded(
        _ part: Substring.UTF8View,
        of text: String,
        plusIsSpace: Bool = false
    ) throws -> ByteBuffer {
        var result = ByteBuffer()
        var rest = part
        while true {
            let plain = rest.prefix { $0 != UInt8(ascii: "%") && !($0 == UInt8(ascii: "+") && plusIsSpace) }
            result.writeBytes(plain)
            rest = rest[plain.endIndex...]
            let place = rest.startIndex
            guard let byte = rest.popFirst() else { return result }
            if byte == UInt8(ascii: "+") {
                result.writeInteger(UInt8(ascii: " "))
                continue
            }
            guard let high = rest.popFirst()?.hexadecimalDigit, let low = rest.popFirst()?.hexadecimalDigit else {
                let offset = text.utf8.distance(from: text.startIndex, to: place)
                throw UpstashRefusal("ERR invalid URL: a % without two hexadecimal digits at byte \(offset)")
            }
            result.writeInteger(high << 4 | low)
        }
    }
}
