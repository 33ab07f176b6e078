import Yams

/// A place in a file; counts from 1.
struct Place {
    let line: Int
    let column: Int
}

extension Place {
    init(_ mark: Mark) { self.init(line: mark.line, column: mark.column) }
}
