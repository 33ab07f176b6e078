import NIOCore

/// Arrays, and what is read past.
extension JSONScanner {
    private static let maxDepth = 1000

    /// At an opening bracket; tells whether something is before the closing one.
    mutating func enter(closing bracket: UInt8 = UInt8(ascii: "]")) -> Bool {
        skip()
        skipSpace()
        guard next == bracket else { return true }
        skip()
        return false
    }

    /// Behind an element; tells whether there is another one.
    mutating func goOn(closing bracket: UInt8 = UInt8(ascii: "]")) throws -> Bool {
        skipSpace()
        switch next {
        case UInt8(ascii: ","):
            skip()
            skipSpace()
            return true
        case bracket:
            skip()
            return false
        case nil: throw invalid("unexpected end")
        default: throw invalid("a comma or bracket is missing")
        }
    }

    /// Steps over a value of any kind.
    mutating func skipValue() throws {
        // Brackets that are to come.
        var closing: [UInt8] = []
        while true {
            if let bracket = closingBracket {
                guard closing.count < Self.maxDepth else { throw invalid("too many brackets in each other") }
                if enter(closing: bracket) {
                    closing.append(bracket)
                    try skipName(in: bracket)
                    continue
                }
            } else {
                _ = try scalar()
            }
            while let bracket = closing.last, try !goOn(closing: bracket) { closing.removeLast() }
            guard let bracket = closing.last else { return }
            try skipName(in: bracket)
        }
    }

    /// What closes the bracket at the position; nil where there is none.
    private var closingBracket: UInt8? {
        switch next {
        case UInt8(ascii: "["): UInt8(ascii: "]")
        case UInt8(ascii: "{"): UInt8(ascii: "}")
        default: nil
        }
    }

    /// The elements of objects have names.
    private mutating func skipName(in closingBracket: UInt8) throws {
        guard closingBracket == UInt8(ascii: "}") else { return }
        guard next == UInt8(ascii: "\"") else { throw invalid("a name is missing") }
        _ = try string()
        skipSpace()
        guard next == UInt8(ascii: ":") else { throw invalid("a colon is missing") }
        skip()
        skipSpace()
    }
}
