/// A part of a whole as it is written in a configuration: `5%`, `2.5%`, `100%`.
enum PercentText {
    /// - Returns: from 0 to 1; nil for anything else.
    static func fraction(_ text: String) -> Double? {
        guard text.hasSuffix("%") else { return nil }
        let digits = text.dropLast()
        guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) || $0 == "." }),
            let percent = Double(digits)
        else { return nil }
        return percent <= 100 ? percent / 100 : nil
    }
}
