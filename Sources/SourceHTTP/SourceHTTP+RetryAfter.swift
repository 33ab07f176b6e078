package import Foundation
package import NIOHTTP1

extension SourceHTTP {
    /// `Retry-After` as seconds or as a date, a day at most (RFC 9110, 10.2.3).
    package static func retryAfter(_ headers: HTTPHeaders, now: Date) -> Duration? {
        guard let text = headers.first(name: "retry-after")?.trimmingCharacters(in: .whitespaces) else { return nil }
        let day = 86_400.0
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return .seconds(min(Double(text) ?? day, day))
        }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        for format in formats {
            formatter.dateFormat = format
            guard let date = formatter.date(from: text) else { continue }
            return .seconds(min(max(0, date.timeIntervalSince(now)), day))
        }
        return nil
    }

    /// RFC 9110, 5.6.7: the one that is sent, and the two that are to be understood.
    private static let formats = [
        "EEE, dd MMM yyyy HH:mm:ss 'GMT'", "EEEE, dd-MMM-yy HH:mm:ss 'GMT'", "EEE MMM d HH:mm:ss yyyy",
    ]
}
