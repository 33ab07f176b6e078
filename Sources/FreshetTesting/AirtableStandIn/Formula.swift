import Freshet

/// The part of Airtable's formula language that finds records by text:
/// `{Column}='text'`, `!=`, `NOT(…)`, `AND(…, …)` and `OR(…, …)`.
indirect enum Formula {
    case compare(column: String, text: String, isEqual: Bool)
    case not(Formula)
    case all([Formula])
    case any([Formula])

    init(_ text: String) throws {
        var parser = Parser(rest: Substring(text))
        self = try parser.expression()
        try parser.end()
    }

    /// - Parameter cell: what a record has in a column.
    func matches(_ cell: (String) -> JSONValue?) -> Bool {
        switch self {
        case .compare(let column, let text, let isEqual): (cell(column)?.cellText ?? "" == text) == isEqual
        case .not(let formula): !formula.matches(cell)
        case .all(let formulas): formulas.allSatisfy { $0.matches(cell) }
        case .any(let formulas): formulas.contains { $0.matches(cell) }
        }
    }

    var columns: [String] {
        switch self {
        case .compare(let column, _, _): [column]
        case .not(let formula): formula.columns
        case .all(let formulas), .any(let formulas): formulas.flatMap(\.columns)
        }
    }

    static let invalid = StandInError(422, "INVALID_FILTER_BY_FORMULA", "The formula for filtering records is invalid")
}

extension Formula {
    private struct Parser {
        var rest: Substring
        var depth = 0

        mutating func expression() throws -> Formula {
            depth += 1
            defer { depth -= 1 }
            guard depth < 50 else { throw Formula.invalid }
            if take("NOT(") { return .not(try arguments(1...1)[0]) }
            if take("AND(") { return .all(try arguments(1...100)) }
            if take("OR(") { return .any(try arguments(1...100)) }
            guard take("{") else { throw Formula.invalid }
            let column = try text(until: "}")
            let isEqual = take("=")
            guard isEqual || take("!=") else { throw Formula.invalid }
            let quote: Character = take("'") ? "'" : "\""
            guard quote == "'" || take("\"") else { throw Formula.invalid }
            return .compare(column: column, text: try text(until: quote), isEqual: isEqual)
        }

        mutating func end() throws {
            skipSpaces()
            guard rest.isEmpty else { throw Formula.invalid }
        }

        private mutating func arguments(_ count: ClosedRange<Int>) throws -> [Formula] {
            var formulas = [try expression()]
            while take(",") { formulas.append(try expression()) }
            guard take(")"), count.contains(formulas.count) else { throw Formula.invalid }
            return formulas
        }

        private mutating func take(_ token: String) -> Bool {
            skipSpaces()
            guard rest.hasPrefix(token) else { return false }
            rest.removeFirst(token.count)
            return true
        }

        private mutating func text(until end: Character) throws -> String {
            var text = ""
            while let character = rest.popFirst() {
                if character == end { return text }
                if character == "\\", let escaped = rest.popFirst() {
                    text.append(escaped)
                } else {
                    text.append(character)
                }
            }
            throw Formula.invalid
        }

        private mutating func skipSpaces() {
            rest = rest.drop { $0.isWhitespace }
        }
    }
}
