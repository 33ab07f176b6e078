import HTTPTypes
import RESP

extension RESPError {
    /// The text with which the service says the same. Arguments that Redis repeats are left out.
    ///
    /// - Parameter name: of the command; nil for what Redis calls it, of several.
    func serviceText(of name: String? = nil) -> String {
        let start = "ERR unknown command "
        guard text.hasPrefix(start) else { return text }
        // ERR unknown command 'NAME', with args beginning with: …
        let quoted = description.dropFirst(start.count)
        return UpstashRefusal.notAvailable(name ?? String(quoted.dropFirst().dropLast())).text
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
