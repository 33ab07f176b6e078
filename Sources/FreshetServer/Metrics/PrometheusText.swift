/// Names, labels and numbers as the Prometheus text format has them.
enum PrometheusText {
    /// The name of a metric with everything that is not allowed in one replaced by `_`.
    static func name(_ text: String) -> String { cleaned(text, allowing: "_:") }

    private static func cleaned(_ text: String, allowing others: String) -> String {
        let cleaned = String(
            text.map { $0.isASCII && ($0.isLetter || $0.isNumber || others.contains($0)) ? $0 : "_" }
        )
        guard let first = cleaned.first, !first.isNumber else { return "_" + cleaned }
        return cleaned
    }

    /// `a="x",b="y"`, ordered by name; no name occurs twice.
    static func labels(_ dimensions: [(String, String)]) -> String {
        // The first is of the bounds of a histogram, the second of a metric.
        var names: Set = ["le", "__name__"]
        return dimensions.sorted { $0.0 < $1.0 }.map { label, value in
            var name = cleaned(label, allowing: "_")
            while !names.insert(name).inserted { name += "_" }
            return "\(name)=\"\(escaped(value))\""
        }.joined(separator: ",")
    }

    static func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

    static func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return String(value)
    }

    private static func escaped(_ value: String) -> String {
        // By scalars: an accent behind a quotation mark makes it another character.
        var result = String.UnicodeScalarView()
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
            case "\"": result.append(contentsOf: "\\\"".unicodeScalars)
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
