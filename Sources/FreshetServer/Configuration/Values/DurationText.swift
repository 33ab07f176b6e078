import Freshet

extension Duration {
    enum TextProblem: Error {
        case isNoTime, isTooLong
    }

    /// A time as it is written in a configuration: `500ms`, `2s`, `15m`, `6h`, `1d`, `1h30m`, `1.5h`, `0`.
    ///
    /// - Throws: for anything else, a time without unit, and more than 100 years.
    init(configurationText text: some StringProtocol) throws(TextProblem) {
        if text == "0" {
            self = .zero
            return
        }
        var rest = Substring(text)
        var milliseconds = 0.0
        guard !rest.isEmpty else { throw .isNoTime }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            let unit = rest.dropFirst(digits.count).prefix { ("a"..."z").contains($0) }
            guard let number = Double(digits), let factor = Self.unitsInMilliseconds[String(unit)] else {
                throw .isNoTime
            }
            milliseconds += number * factor
            rest = rest.dropFirst(digits.count + unit.count)
        }
        guard milliseconds <= FieldPolicy.longestTime / .milliseconds(1) else { throw .isTooLong }
        self = .microseconds(Int64((milliseconds * 1000).rounded()))
    }

    private static let unitsInMilliseconds: [String: Double] = [
        "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
    ]

    /// The time as it is written in a configuration, in the largest units that say it to the millisecond.
    public var configurationText: String {
        var rest = clampedMilliseconds
        guard rest != 0 else { return "0s" }
        let sign = rest < 0 ? "-" : ""
        rest = abs(rest)
        var text = ""
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
            as [(String, Int64)]
        where rest >= size {
            text += "\(rest / size)\(unit)"
            rest %= size
        }
        return sign + text
    }

    /// As ``configurationText``, no finer than a reader wants it: milliseconds below ten seconds, seconds below an
    /// hour, minutes below a day, hours above.
    package var roundedText: String {
        let milliseconds = clampedMilliseconds
        let unit: Int64 =
            switch abs(milliseconds) {
            case ..<10_000: 1
            case ..<3_600_000: 1000
            case ..<86_400_000: 60_000
            default: 3_600_000
            }
        return Duration.milliseconds(milliseconds / unit * unit).configurationText
    }

    var inSeconds: Double { Double(clampedMilliseconds) / 1000 }
}
