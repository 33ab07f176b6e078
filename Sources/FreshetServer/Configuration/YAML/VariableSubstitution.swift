/// `${NAME}` in values: hidden from the YAML parser, for which a brace opens a mapping, and replaced once it is done.
///
/// `$${NAME}` stands for the text `${NAME}` itself.
enum VariableSubstitution {
    /// Stand in for the braces while YAML is parsed: one character each, so that columns stay right, and none that text
    /// has.
    private static let open: Unicode.Scalar = "\u{10FFFC}"
    private static let close: Unicode.Scalar = "\u{10FFFD}"

    static func hide(_ yaml: String) -> String {
        var result = String.UnicodeScalarView()
        let scalars = Array(yaml.unicodeScalars)
        var index = 0
        while index < scalars.count {
            if scalars[index] == "$", let end = endOfName(in: scalars, from: index + 1) {
                result.append("$")
                result.append(open)
                result.append(contentsOf: scalars[(index + 2)..<end])
                result.append(close)
                index = end + 1
            } else {
                result.append(scalars[index])
                index += 1
            }
        }
        return String(result)
    }

    /// What was written, with its braces.
    static func reveal(_ text: String) -> String {
        guard text.unicodeScalars.contains(open) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == open ? "{" : $0 == close ? "}" : $0 }))
    }

    /// - Returns: the text with every variable replaced, and the names of those that are missing.
    static func replace(in text: String, from environment: Environment) -> (text: String, missing: [String]) {
        let scalars = Array(text.unicodeScalars)
        var result = ""
        var missing: [String] = []
        var index = 0
        while index < scalars.count {
            guard scalars[index] == "$", index + 1 < scalars.count else {
                result.unicodeScalars.append(scalars[index])
                index += 1
                continue
            }
            if scalars[index + 1] == "$", index + 2 < scalars.count, scalars[index + 2] == open {
                result += "$"
                index += 2
                while index < scalars.count, scalars[index] != close {
                    result += scalars[index] == open ? "{" : String(scalars[index])
                    index += 1
                }
                result += "}"
                index += 1
            } else if scalars[index + 1] == open, let end = scalars[index...].firstIndex(of: close) {
                let name = String(String.UnicodeScalarView(scalars[(index + 2)..<end]))
                if let value = environment[name] { result += value } else { missing.append(name) }
                index = end + 1
            } else {
                result += "$"
                index += 1
            }
        }
        return (result, missing)
    }

    /// The index of the closing brace, if `{NAME}` starts here.
    private static func endOfName(in scalars: [Unicode.Scalar], from start: Int) -> Int? {
        guard start < scalars.count, scalars[start] == "{" else { return nil }
        var index = start + 1
        while index < scalars.count, isNameScalar(scalars[index], first: index == start + 1) { index += 1 }
        return index > start + 1 && index < scalars.count && scalars[index] == "}" ? index : nil
    }

    private static func isNameScalar(_ scalar: Unicode.Scalar, first: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": true
        case "0"..."9": !first
        default: false
        }
    }
}
