extension JSONReader {
    mutating func number() throws(Fault) -> JSONValue {
        let start = place
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        if isChecking { return .null }
        let literal = String(decoding: text[start..<place], as: UTF8.self)
        if let value = Int64(literal) { return .integer(value) }
        guard let value = Double(literal), value.isFinite else {
            throw Fault(reason: "a number out of range at \(path)")
        }
        return Self.integer(value, literal).map { .integer($0) } ?? .number(value)
    }

    private mutating func digits() throws(Fault) {
        let start = place
        while place < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[place]) { place += 1 }
        guard place > start else { throw malformed() }
    }

    /// That of `2.0` and `1.50e2`.
    private static func integer(_ value: Double, _ literal: String) -> Int64? {
        guard value == value.rounded(), value.magnitude <= 0x1p63 else { return nil }
        // Beyond that a double has no room for each integer.
        if value.magnitude < 0x1p53 { return Int64(value) }
        // Nobody writes one in so many characters.
        guard literal.utf8.count < 400 else { return nil }
        let parts = literal.split { $0 == "e" || $0 == "E" }
        let fraction = parts[0].drop { $0 != "." }.dropFirst()
        guard var exponent = parts.count > 1 ? Int(parts[1]) : 0 else { return nil }
        exponent -= fraction.count
        var digits = parts[0].filter { $0 != "." }
        while exponent < 0, digits.last == "0" {
            digits.removeLast()
            exponent += 1
        }
        return (0..<20).contains(exponent) ? Int64(digits + String(repeating: "0", count: exponent)) : nil
    }
}
