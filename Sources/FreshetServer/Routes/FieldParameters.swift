import Freshet
import Hummingbird

/// What the query of a request to a field asks for. Parameters that are not known are ignored.
struct FieldParameters: Equatable {
    var forceRefresh = false
    var maxAge: Duration?
    /// Of a refresh: whether to remove the old value first.
    var purges = false
    /// Of a removal: whether to expire only.
    var isSoft = false

    /// - Throws: ``CacheError`` with `invalidArgument`.
    init(_ query: String?) throws {
        guard let query else { return }
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? String(parts[1]) : ""
            switch parts[0] {
            case "forceRefresh": forceRefresh = try Self.flag(value, "forceRefresh")
            case "maxAge": maxAge = try Self.seconds(value)
            case "purge": purges = try Self.flag(value, "purge")
            case "soft": isSoft = try Self.flag(value, "soft")
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
        guard let seconds = UInt32(value) else {
            throw CacheError(.invalidArgument, "maxAge must be a number of seconds, 0 or more")
        }
        return .seconds(seconds)
    }
}
