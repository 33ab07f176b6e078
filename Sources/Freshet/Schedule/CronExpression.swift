/// Times by the calendar, in UTC, as ``RefreshSchedule/cron(_:)`` has them; also `@midnight` for `@daily` and `@annually`
/// for `@yearly`.
package struct CronExpression: Sendable, Hashable, CustomStringConvertible {
    package let description: String
    /// Bit n: the number n is meant.
    private let seconds, minutes, hours, days, months, weekdays: UInt64
    private let needsBothDays: Bool

    /// - Throws: ``CacheError`` with `configuration`.
    package init(_ text: String) throws(CacheError) {
        description = text
        var fields = (Self.nicknames[text.lowercased()] ?? text).split { $0.isWhitespace }
        if fields.count == 5 { fields.insert("0", at: 0) }
        guard fields.count == 6 else {
            throw CacheError(
                .configuration,
                "'\(text)' is no cron expression: it has \(fields.count) fields, not 5, or 6 with seconds"
            )
        }
        let unit = CronUnit.all
        seconds = try unit[0].read(fields[0])
        minutes = try unit[1].read(fields[1])
        hours = try unit[2].read(fields[2])
        days = try unit[3].read(fields[3])
        months = try unit[4].read(fields[4])
        let week = try unit[5].read(fields[5])
        weekdays = (week | week >> 7) & 0x7F
        needsBothDays = fields[3].hasPrefix("*") || fields[5].hasPrefix("*")
        guard search(from: 0, .forward) != nil else {
            throw CacheError(.configuration, "'\(text)' never comes: no such month has such a day")
        }
    }

    private static let nicknames = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]
}

extension CronExpression {
    private enum Direction: Int64 {
        case forward = 1
        case backward = -1
    }

    private static let secondsOfDay: Int64 = 86_400
    /// The calendar repeats after 400 years.
    private static let mostDays = 400 * 366

    /// The first time later than this one. Times are since 1970, without leap seconds.
    package func next(after time: Duration) -> Duration {
        search(from: time.components.seconds + 1, .forward).map { .seconds($0) } ?? .seconds(Int64.max / 2)
    }

    /// The latest time that is not later than this one.
    package func last(notAfter time: Duration) -> Duration {
        search(from: time.components.seconds, .backward).map { .seconds($0) } ?? .zero
    }

    /// The nearest time from that second on.
    private func search(from second: Int64, _ direction: Direction) -> Int64? {
        var day = CivilDay.number(ofSecond: second)
        var limit = second - day * Self.secondsOfDay
        for _ in 0..<Self.mostDays {
            if matches(CivilDay(day)), let time = timeOfDay(limit, direction) { return day * Self.secondsOfDay + time }
            day += direction.rawValue
            limit = direction == .forward ? 0 : Self.secondsOfDay - 1
        }
        return nil
    }

    private func matches(_ day: CivilDay) -> Bool {
        guard months.has(day.month) else { return false }
        let (isDay, isWeekday) = (days.has(day.dayOfMonth), weekdays.has(day.weekday))
        return needsBothDays ? isDay && isWeekday : isDay || isWeekday
    }

    /// The nearest second of a day from `limit` on.
    private func timeOfDay(_ limit: Int64, _ direction: Direction) -> Int64? {
        let (hour, minute, second) = (limit / 3600, limit / 60 % 60, limit % 60)
        let (step, first) = (direction.rawValue, direction == .forward ? Int64(0) : 59)
        var nextHour = hours.nearest(hour, step)
        while let foundHour = nextHour {
            var nextMinute = minutes.nearest(foundHour == hour ? minute : first, step)
            while let foundMinute = nextMinute {
                let isLimit = foundHour == hour && foundMinute == minute
                if let foundSecond = seconds.nearest(isLimit ? second : first, step) {
                    return foundHour * 3600 + foundMinute * 60 + foundSecond
                }
                nextMinute = minutes.nearest(foundMinute + step, step)
            }
            nextHour = hours.nearest(foundHour + step, step)
        }
        return nil
    }
}

extension UInt64 {
    fileprivate func has(_ number: Int64) -> Bool { self >> UInt64(number) & 1 == 1 }

    /// The nearest bit from `number` on.
    fileprivate func nearest(_ number: Int64, _ step: Int64) -> Int64? {
        var number = number
        while (0..<64).contains(number) {
            if has(number) { return number }
            number += step
        }
        return nil
    }
}
