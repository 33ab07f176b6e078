/// A day of the Gregorian calendar in UTC. After H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2021).
struct CivilDay: Sendable, Hashable {
    /// From 1.
    let month: Int64
    /// From 1.
    let dayOfMonth: Int64
    /// Sunday is 0.
    let weekday: Int64

    /// - Parameter number: counts from 1970-01-01, a Thursday.
    init(_ number: Int64) {
        weekday = Self.remainder(number + 4, 7)
        // Years from March on, so that the leap day is the last; eras of 400 years.
        let day = Self.remainder(number + 719_468, 146_097)
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let fromMarch = (5 * dayOfYear + 2) / 153
        dayOfMonth = dayOfYear - (153 * fromMarch + 2) / 5 + 1
        month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
    }

    static func number(ofSecond second: Int64) -> Int64 { (second - remainder(second, 86_400)) / 86_400 }

    private static func remainder(_ number: Int64, _ divisor: Int64) -> Int64 {
        let rest = number % divisor
        return rest < 0 ? rest + divisor : rest
    }
}
