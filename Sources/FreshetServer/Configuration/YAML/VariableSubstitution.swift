/// `${NAME}` in values: hidden from the YAML parser, for which a brace opens a mapping, and replaced once it is done.
///
/// `$${` stands for the text `${` itself.
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

    /// A value whose variables were replaced, as far as that was possible.
    struct Replacement {
        var text = ""
        /// The names of variables that are not set.
        var missing: [String] = []
        /// What follows each `${` that begins no `${NAME}`.
        var malformed: [String] = []

        var isWhole: Bool { missing.isEmpty && malformed.isEmpty }
    }

    static func replace(in text: String, from environment: Environment) -> Replacement {
        var result = Replacement()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "$", let next = rest.first else {
                result.text.unicodeScalars.append(scalar == close ? "}" : scalar)
                continue
            }
            if next == "$", let brace = rest.dropFirst().first, brace == open || brace == "{" {
                result.text += "${"
                rest = rest.dropFirst(2)
            } else if next == open, let end = rest.firstIndex(of: close) {
                let name = String(rest[rest.index(after: rest.startIndex)..<end])
                if name.contains(":") {
                    result.malformed.append(name)
                } else if let value = environment[name] {
                    result.text += value
                } else {
                    result.missing.append(name)
                }
                rest = rest[rest.index(after: end)...]
            } else {
                if next == "{" { result.malformed.append(reveal(String(rest.dropFirst()))) }
                result.text += "$"
            }
        }
        return result
    }

    /// The index of the closing brace, if `{NAME}` starts here, or `{NAME:-…}`, which is told of later.
    private static func endOfName(in scalars: [Unicode.Scalar], from start: Int) -> Int? {
        guard start < scalars.count, scalars[start] == "{" else { return nil }
        var index = start + 1
        while index < scalars.count, isNameScalar(scalars[index], first: index == start + 1) { index += 1 }
        guard index > start + 1, index < scalars.count else { return nil }
        if scalars[index...].starts(with: ":-".unicodeScalars) {
            index = scalars[index...].firstIndex { $0 == "}" || $0 == "\n" } ?? scalars.count
        }
        return index < scalars.count && scalars[index] == "}" ? index : nil
    }

    private static func isNameScalar(_ scalar: Unicode.Scalar, first: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": true
        case "0"..."9": !first
        default: false
        }
    }
}
