import Foundation
import TestSupport
import Testing

@testable import Freshet

@Suite("Cron expressions")
struct CronExpressionTests {
    @Test(
        "the next time",
        arguments: [
            ("* * * * *", "2026-02-03T04:05:06Z", "2026-02-03T04:06:00Z"),
            ("*/15 * * * *", "2026-02-03T04:45:00Z", "2026-02-03T05:00:00Z"),
            ("5/20 * * * *", "2026-02-03T04:05:00Z", "2026-02-03T04:25:00Z"),
            ("0 9-17/4 * * *", "2026-02-03T09:00:00Z", "2026-02-03T13:00:00Z"),
            ("30 6 * * mon-fri", "2026-02-06T06:30:00Z", "2026-02-09T06:30:00Z"),
            ("0 0 1,15 * *", "2026-02-01T00:00:00Z", "2026-02-15T00:00:00Z"),
            ("0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"),
            ("0 0 29 FEB *", "2026-02-03T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 29 2 *", "2097-02-03T00:00:00Z", "2104-02-29T00:00:00Z"),
            ("0 0 13 * fri", "2026-02-03T00:00:00Z", "2026-02-06T00:00:00Z"),
            ("0 0 */13 * fri", "2026-02-03T00:00:00Z", "2026-02-27T00:00:00Z"),
            ("0 0 * * 7", "2026-02-03T00:00:00Z", "2026-02-08T00:00:00Z"),
            ("0 0 * * Sat-7", "2026-02-07T00:00:00Z", "2026-02-08T00:00:00Z"),
            ("*/20 30 5 * * *", "2026-02-03T05:30:20Z", "2026-02-03T05:30:40Z"),
            ("59 59 23 31 12 *", "2026-12-31T23:59:59Z", "2027-12-31T23:59:59Z"),
            ("@hourly", "2026-02-03T04:05:06Z", "2026-02-03T05:00:00Z"),
            ("@Daily", "2026-02-03T04:05:06Z", "2026-02-04T00:00:00Z"),
            ("@midnight", "2026-02-03T04:05:06Z", "2026-02-04T00:00:00Z"),
            ("@weekly", "2026-02-03T04:05:06Z", "2026-02-08T00:00:00Z"),
            ("@monthly", "2026-02-03T04:05:06Z", "2026-03-01T00:00:00Z"),
            ("@yearly", "2026-02-03T04:05:06Z", "2027-01-01T00:00:00Z"),
            ("@annually", "2026-02-03T04:05:06Z", "2027-01-01T00:00:00Z"),
        ]
    )
    func next(_ text: String, _ time: String, _ expected: String) throws {
        let expression = try CronExpression(text)
        let next = expression.next(after: try Self.time(time))
        #expect(next == (try Self.time(expected)))
        #expect(expression.last(notAfter: next) == next)
        #expect(expression.last(notAfter: next - .milliseconds(1)) <= (try Self.time(time)))
    }

    @Test(
        "what is none is an error that says why",
        arguments: [
            ("", "0 fields"), ("* * * *", "4 fields"), ("* * * * * * *", "7 fields"), ("@often", "1 fields"),
            ("60 * * * *", "minute"), ("-1 * * * *", "minute"), ("+1 * * * *", "minute"), ("* 24 * * *", "hour"),
            ("* * 0 * *", "day of the month"), ("* * 32 * *", "day of the month"), ("* * * 13 * ", "month"),
            ("* * * jam *", "month"), ("* * * * 8", "day of the week"), ("*/0 * * * *", "step"),
            ("*/60 * * * *", "step"), ("*/ * * * *", "step"), ("1,,2 * * * *", "minute"), ("5-1 * * * *", "backwards"),
            ("1-2-3 * * * *", "minute"), ("* * 30 2 *", "never"), ("* * 31 4,6,9,11 *", "never"),
            ("99999999999999999999 * * * *", "minute"), ("１ * * * *", "minute"),
        ]
    )
    func problems(_ text: String, _ reason: String) {
        do {
            _ = try CronExpression(text)
            Issue.record("'\(text)' passed")
        } catch {
            #expect(error.code == .configuration && error.message.contains(reason), "\(error)")
        }
    }

    @Test("a day of the past is looked at up to its last second")
    func lastSecond() throws {
        let expression = try CronExpression("59 59 23 * * *")
        let last = expression.last(notAfter: try Self.time("2026-02-03T04:05:06Z"))
        #expect(last == (try Self.time("2026-02-02T23:59:59Z")))
    }

    @Test("the same times as a scan of every minute finds, forwards and backwards", arguments: 0..<40)
    func bruteForce(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let text = Self.randomExpression(&random)
        let expression = try CronExpression(text)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0)!
        let fields = text.split(separator: " ").map(String.init)
        let days = 60
        let beginning = Int64.random(in: 0..<46_000, using: &random) * 86_400
        var expected: [Int64] = []
        for day in 0..<days {
            let midnight = beginning + Int64(day) * 86_400
            let date = Date(timeIntervalSince1970: Double(midnight))
            let parts = calendar.dateComponents([.day, .month, .weekday], from: date)
            let isDay = Self.matches(fields[2], parts.day!, from: 1)
            let isWeekday = Self.matches(fields[4], parts.weekday! - 1, from: 0)
            let isEither = !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*")
            guard isEither ? isDay || isWeekday : isDay && isWeekday else { continue }
            for hour in 0..<24 where Self.matches(fields[1], hour, from: 0) {
                for minute in 0..<60 where Self.matches(fields[0], minute, from: 0) {
                    expected.append(midnight + Int64(hour * 3600 + minute * 60))
                }
            }
        }
        let end = Duration.seconds(beginning + Int64(days) * 86_400)
        var forwards: [Int64] = []
        var time = expression.next(after: .seconds(beginning) - .nanoseconds(1))
        while time < end {
            forwards.append(time.components.seconds)
            time = expression.next(after: time)
        }
        #expect(forwards == expected, "\(text)")
        var backwards: [Int64] = []
        time = expression.last(notAfter: end - .seconds(1))
        while time >= .seconds(beginning) {
            backwards.append(time.components.seconds)
            time = expression.last(notAfter: time - .seconds(1))
        }
        #expect(Array(backwards.reversed()) == expected, "\(text)")
    }

    private static func time(_ text: String) throws -> Duration {
        .seconds(Int64(try Date(text, strategy: .iso8601).timeIntervalSince1970))
    }

    /// Lists of numbers and ranges with steps, sparse enough to be scanned.
    private static func randomExpression(_ random: inout SplitMix64) -> String {
        func field(_ range: ClosedRange<Int>, _ random: inout SplitMix64) -> String {
            switch Int.random(in: 0..<5, using: &random) {
            case 0: return "*"
            case 1: return "*/\(Int.random(in: 2...max(2, range.upperBound / 2), using: &random))"
            case 2:
                let low = Int.random(in: range, using: &random)
                let high = Int.random(in: low...range.upperBound, using: &random)
                return "\(low)-\(high)/\(Int.random(in: 1...5, using: &random))"
            case 3: return "\(Int.random(in: range, using: &random)),\(Int.random(in: range, using: &random))"
            default: return "\(Int.random(in: range, using: &random))"
            }
        }
        // No day that some months have not, so that every expression comes.
        let minute = field(0...59, &random)
        return [
            minute == "*" ? "7" : minute, field(0...23, &random), field(1...28, &random), "*", field(0...6, &random),
        ].joined(separator: " ")
    }

    /// - Parameter first: the unit's first number.
    private static func matches(_ field: String, _ number: Int, from first: Int) -> Bool {
        field.split(separator: ",").contains { part in
            let pieces = part.split(separator: "/")
            let step = pieces.count == 2 ? Int(pieces[1]) ?? 0 : 1
            if pieces[0] == "*" { return (number - first) % step == 0 }
            let ends = pieces[0].split(separator: "-").compactMap { Int($0) }
            if ends.count == 1 { return number == ends[0] }
            return number >= ends[0] && number <= ends[1] && (number - ends[0]) % step == 0
        }
    }
}
