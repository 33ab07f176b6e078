/// A number of bytes as it is written in a configuration: `64MiB`, `1.5GB`, `4096`.
enum ByteSizeText {
    private static let units: [String: Double] = [
        "": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824,
    ]

    /// - Returns: nil for anything else, nothing at all, and more than a petabyte.
    static func bytes(_ text: String) -> Int? {
        let digits = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        guard let number = Double(digits), let factor = units[unit] else { return nil }
        let bytes = (number * factor).rounded()
        return bytes >= 1 && bytes <= 1e15 ? Int(bytes) : nil
    }
}
