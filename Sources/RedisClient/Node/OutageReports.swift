import Logging
import NIOCore
import NIOPosix
import RESP

/// Decides which of the failures of an outage are said aloud: each reason once, then one less and less often.
struct OutageReports {
    private var pace = Pace(.seconds(60)...Duration.seconds(3600))
    private var said: Set<String> = []

    private static let mostReasons = 16

    /// - Returns: whether to say it; then it counts as said.
    mutating func take(_ failure: RedisClientError) -> Bool {
        let isDue = pace.take()
        guard said.count < Self.mostReasons else { return isDue }
        return said.insert(failure.reason).inserted || isDue
    }

    /// The outage is over: in the next one every reason is news.
    mutating func end() { said = [] }
}

extension Logger {
    /// - Parameter isNews: whether to say it aloud, as ``OutageReports`` has decided.
    func report(
        _ message: Message,
        _ error: RedisClientError,
        of configuration: RedisClient.Configuration,
        isNews: Bool
    ) {
        log(
            level: isNews ? .info : .debug,
            message,
            metadata: ["redis.server": "\(configuration)", "error": "\(error)"]
        )
    }
}

extension RedisClientError {
    /// What it says, without what differs from one attempt to the next.
    fileprivate var reason: String {
        let cause: String? =
            switch underlying {
            case let error as RESPError: error.text
            case let error as NIOConnectionError:
                (error.connectionErrors.first?.error as? IOError).map { "\($0.errnoCode)" }
            default: underlying.map { "\(type(of: $0))" }
            }
        return "\(code) \(message) \(cause ?? "")"
    }
}
