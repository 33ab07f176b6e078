import Yams

/// A place in a file; counts from 1.
struct Place {
    let line: Int
    let column: Int
}

extension Place {
    init(_ mark: Mark) { self.init(line: mark.line, column: mark.column) }

    init(behind text: String) {
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        self.init(line: lines.count, column: 1 + (lines.last?.unicodeScalars.count ?? 0))
    }
}
