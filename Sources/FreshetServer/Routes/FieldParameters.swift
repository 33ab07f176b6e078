import Foundation
import Freshet

/// What the query of a request to a field asks for. Parameters that its kind does not know are ignored.
struct FieldParameters: Equatable {
    enum Kind {
        case read, refresh, invalidation
    }

    var forceRefresh = false
    var maxAge: Duration?
    /// `purge` of a refresh: whether to remove the old value first.
    var purges = false
    /// `soft` of a removal: whether to expire only.
    var isSoft = false

    /// - Throws: ``CacheError`` with `invalidArgument`.
    init(_ query: String?, of kind: Kind) throws {
        guard let query else { return }
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // What is no escape is no value of any of these either.
            let value = parts.count == 2 ? parts[1].removingPercentEncoding ?? "" : ""
            switch (kind, parts[0].removingPercentEncoding) {
            case (.read, "forceRefresh"): forceRefresh = try Self.flag(value, "forceRefresh")
            case (.read, "maxAge"): maxAge = try Self.seconds(value)
            case (.refresh, "purge"): purges = try Self.flag(value, "purge")
            case (.invalidation, "soft"): isSoft = try Self.flag(value, "soft")
            default: break
            }
        }
    }

    private static func flag(_ value: String, _ name: String) throws -> Bool {
        switch value {
        case "true", "1": return true
        case "false", "0": return false
        default: throw CacheError(.invalidArgument, "\(name) must be true or false")
        }
    }

    private static func seconds(_ value: String) throws -> Duration {
        guard !value.isEmpty, value.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw CacheError(.invalidArgument, "maxAge must be a number of seconds, 0 or more")
        }
        // A century is as long as any number with more digits.
        return .seconds(UInt32(value) ?? .max)
    }
}
