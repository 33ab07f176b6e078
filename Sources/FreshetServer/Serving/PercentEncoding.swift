/// The escapes of URLs (RFC 3986, section 2.1).
enum PercentEncoding {
    /// A path without the escapes that it does not need; what has a meaning of its own or is no visible ASCII keeps them.
    ///
    /// - Returns: nil where a `%` begins no escape.
    static func normalPath(_ path: Substring) -> String? {
        var result: [UInt8] = []
        var rest = path.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            let digits = Substring(rest.prefix(2))
            guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16) else {
                return nil
            }
            let isPlain = (0x21...0x7E).contains(value) && !"/?#%".utf8.contains(value)
            if isPlain { result.append(value) } else { result += [byte] + digits.utf8 }
            rest = rest.dropFirst(2)
        }
        return String(decoding: result, as: UTF8.self)
    }
}
