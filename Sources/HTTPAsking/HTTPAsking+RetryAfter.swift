package import Foundation
package import NIOHTTP1

extension HTTPAsking {
    /// `Retry-After` as seconds or as a date, a day at most (RFC 9110, 10.2.3).
    package static func retryAfter(_ headers: HTTPHeaders, now: Date) -> Duration? {
        guard let text = headers.first(name: "retry-after")?.trimmingCharacters(in: .whitespaces) else { return nil }
        let day = 86_400.0
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return .seconds(min(Double(text) ?? day, day))
        }
        return date(text).map { Duration.seconds(min(max(0, $0.timeIntervalSince(now)), day)) }
    }
}
