/// One field of a cron expression: what it counts, and how its text is read.
struct CronUnit: Sendable {
    let name: String
    let range: ClosedRange<Int>
    var words: [String] = []

    /// In the order of an expression with seconds.
    static let all = [
        CronUnit(name: "second", range: 0...59),
        CronUnit(name: "minute", range: 0...59),
        CronUnit(name: "hour", range: 0...23),
        CronUnit(name: "day of the month", range: 1...31),
        CronUnit(
            name: "month",
            range: 1...12,
            words: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        ),
        CronUnit(name: "day of the week", range: 0...7, words: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ]

    /// - Returns: bit n for the number n.
    /// - Throws: ``CacheError`` with `configuration`.
    func read(_ text: Substring) throws(CacheError) -> UInt64 {
        var bits: UInt64 = 0
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let step = pieces.count == 2 ? try count(pieces[1]) : 1
            let span = try self.span(pieces[0], isOpen: pieces.count == 2)
            for number in stride(from: span.lowerBound, through: span.upperBound, by: step) {
                bits |= 1 << UInt64(number)
            }
        }
        return bits
    }

    /// - Parameter isOpen: whether a single number means itself and all behind it.
    private func span(_ text: Substring, isOpen: Bool) throws(CacheError) -> ClosedRange<Int> {
        if text == "*" { return range }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let low = try number(ends[0])
        let high = ends.count == 2 ? try number(ends[1]) : isOpen ? range.upperBound : low
        guard low <= high else { throw problem("the range \(text) runs backwards") }
        return low...high
    }

    private func number(_ text: Substring) throws(CacheError) -> Int {
        if let index = words.firstIndex(of: text.lowercased()) { return index + range.lowerBound }
        guard let number = digits(text), range.contains(number) else {
            throw problem("'\(text)' is not between \(range.lowerBound) and \(range.upperBound)")
        }
        return number
    }

    private func count(_ text: Substring) throws(CacheError) -> Int {
        guard let count = digits(text), count > 0, count <= range.upperBound else {
            throw problem("'\(text)' is no step between 1 and \(range.upperBound)")
        }
        return count
    }

    /// Digits only: no sign.
    private func digits(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    private func problem(_ text: String) -> CacheError {
        CacheError(.configuration, "\(name) of a cron expression: \(text)")
    }
}
