/// When a field is loaded again though it is fresh.
///
/// ```swift
/// policy.refreshEvery = .every(.seconds(900))
/// policy.refreshEvery = try .cron("30 6 * * mon-fri")
/// ```
public struct RefreshSchedule: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        case interval(Duration)
        case cron(CronExpression)
    }

    package let kind: Kind

    package static let shortestInterval = Duration.milliseconds(100)

    /// At marks on the store's clock that are this far apart, to the millisecond; at least 100 ms. Fields of different
    /// keys have theirs at different times, so that they do not all ask at once.
    public static func every(_ interval: Duration) -> RefreshSchedule { RefreshSchedule(kind: .interval(interval)) }

    /// At the times of a cron expression, in UTC by the store's clock.
    ///
    /// It has five fields – minute, hour, day of the month, month, day of the week – or six, with the second in front. A
    /// field is `*`, a number, a range `9-17`, a list `0,30`, with a step `*/15`, `10-50/20`; months and days of the week
    /// have English names of three letters too, and Sunday is 0 or 7. If neither day field begins with `*`, a day needs
    /// to match but one of them. `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` stand for the usual.
    ///
    /// - Throws: ``CacheError`` with `configuration`, saying what is wrong with it.
    public static func cron(_ expression: String) throws(CacheError) -> RefreshSchedule {
        RefreshSchedule(kind: .cron(try CronExpression(expression)))
    }

    /// nil for a cron expression.
    package var interval: Duration? { if case .interval(let interval) = kind { interval } else { nil } }

    public var description: String {
        switch kind {
        case .interval(let interval): "every \(interval)"
        case .cron(let expression): expression.description
        }
    }
}

/// The slots of a field's schedule: the same in every process.
struct SlotGrid: Sendable {
    private let schedule: RefreshSchedule
    /// Any number that depends on nothing but the key.
    private let spread: UInt64

    init(_ schedule: RefreshSchedule, of key: String) {
        self.schedule = schedule
        // FNV-1a, by G. Fowler, L. C. Noll and P. Vo: Swift's own hashes differ from process to process.
        spread = key.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// When the slot began that it is now. Times are since 1970.
    func slot(at time: Duration) -> Duration {
        switch schedule.kind {
        case .interval(let interval): mark(at: time, interval)
        case .cron(let expression): expression.last(notAfter: time)
        }
    }

    /// When the next slot begins.
    func next(after time: Duration) -> Duration {
        switch schedule.kind {
        case .interval(let interval): mark(at: time, interval) + .milliseconds(Self.length(interval))
        case .cron(let expression): expression.next(after: time)
        }
    }

    private static func length(_ interval: Duration) -> Int64 { max(1, interval.clampedMilliseconds) }

    private func mark(at time: Duration, _ interval: Duration) -> Duration {
        let length = Self.length(interval)
        let shift = Int64(spread % UInt64(length))
        let since = time.clampedMilliseconds - shift
        // Rounded down, before 1970 too.
        let count = since >= 0 ? since / length : (since - length + 1) / length
        return .milliseconds(count * length + shift)
    }
}
