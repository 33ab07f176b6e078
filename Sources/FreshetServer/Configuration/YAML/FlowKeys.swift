/// Looks for keys in mappings that are written with braces.
enum FlowKeys {
    /// The place of the next key of that name, in the mapping that has a key at the given place.
    static func next(_ name: String, behind start: Place, in lines: [String]) -> Place? {
        var depth = 0
        var quote: Unicode.Scalar?
        var isEscaped = false
        /// The last one that is no white space. Where no value or key may begin, a quote is a part of a plain text.
        var last: Unicode.Scalar = ","
        for (number, line) in lines.enumerated().dropFirst(start.line - 1) {
            let skipped = number == start.line - 1 ? start.column - 1 : 0
            var mayComment = true
            for (column, index) in line.unicodeScalars.indices.enumerated().dropFirst(skipped) {
                let scalar = line.unicodeScalars[index]
                if let open = quote {
                    if scalar == open, !isEscaped { quote = nil }
                    isEscaped = open == "\"" && scalar == "\\" && !isEscaped
                    continue
                }
                if scalar == "#", mayComment { break }
                mayComment = scalar == " " || scalar == "\t"
                if mayComment { continue }
                let isStart = number == start.line - 1 && column == skipped
                if depth == 0, last == ",", !isStart, YAMLDocument.isKey(name, at: line[index...]) {
                    return Place(line: number + 1, column: column + 1)
                }
                switch scalar {
                case "\"", "'": if [",", ":", "[", "{"].contains(last) { quote = scalar }
                case "{", "[": depth += 1
                case "}", "]": depth -= 1
                default: break
                }
                if depth < 0 { return nil }
                last = scalar
            }
        }
        return nil
    }
}
