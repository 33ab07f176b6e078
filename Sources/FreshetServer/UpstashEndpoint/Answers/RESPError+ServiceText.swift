import HTTPTypes
import RESP

extension RESPError {
    /// The text with which the service says the same. Arguments that Redis repeats are left out.
    var serviceText: String {
        guard text.hasPrefix("ERR unknown command ") else { return text }
        // ERR unknown command 'NAME', with args beginning with: …
        let quoted = text.dropFirst("ERR unknown command ".count)
        guard let quote = quoted.first, quote == "'" || quote == "`" else { return description }
        let name = quoted.dropFirst().prefix { $0 != quote }
        return UpstashRefusal.notAvailable(name.uppercased()).text
    }

    /// The status of an answer that is this error alone. 503 where the server ran nothing, and soon may.
    ///
    /// - Parameter isOfScript: whether a script may have made it up.
    func serviceStatus(isOfScript: Bool = false) -> HTTPResponse.Status {
        if isOfScript, !isServersRefusal { return .badRequest }
        return switch code {
        case .busy, .clusterDown, .loading, .masterDown, .readOnly, .tryAgain: .serviceUnavailable
        default: .badRequest
        }
    }
}
