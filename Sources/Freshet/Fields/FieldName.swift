/// What a field may be called: its name is a segment of its URL, and a label of its metrics.
package enum FieldName {
    package static let advice = "use letters, digits, '-', '_' and '.': the name is part of its URL"

    package static func isAllowed(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".."
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }
}
