import Freshet
import RESP

extension RedisStore {
    /// Runs a call to the server and says what went wrong in the words of stores.
    func call<Reply>(_ body: () async throws -> Reply) async throws -> Reply {
        do {
            return try await body()
        } catch let error as CacheError {
            throw error
        } catch let error as RESPError {
            let code: CacheError.Code = Self.isPassing(error) ? .storeUnavailable : .storeRejected
            throw CacheError(code, "the store answered: \(error)", underlying: error)
                .because(of: error.refusal).ofKey(error.code == .wrongType).halfDone(error.isOfScriptsUser)
        } catch {
            if error is CancellationError || Task.isCancelled { throw CancellationError() }
            let refusal = (error as? any CommandTransportError)?.obstacle.map(Refusal.init)
            let cause = (error as? any CommandTransportError).map { ": \($0.hint ?? "\($0)")" } ?? ""
            if let error = error as? any CommandTransportError, error.isTimeout {
                throw CacheError(.storeTimedOut, "the store did not answer in time\(cause)", underlying: error)
            }
            if let error = error as? any CommandTransportError, error.isRefusal {
                throw CacheError(.storeRejected, "the store does not take this: \(error)", underlying: error)
                    .because(of: refusal).ofKey(refusal == nil)
            }
            throw CacheError(.storeUnavailable, "the store cannot be reached\(cause)", underlying: error)
                .because(of: refusal)
        }
    }

    func execute(_ command: RESPCommand) async throws -> RESPValue {
        try await call { try await executor.execute(command).get() }
    }

    /// A state of the server, rather than an answer to a command.
    static func isPassing(_ error: RESPError) -> Bool {
        passing.contains(error.code) || error.serviceLimit == .commands
    }

    private static let passing: Set<RESPError.Code> = [
        .loading, .masterDown, .clusterDown, .tryAgain, .busy, .readOnly, .moved, .ask,
    ]

    static func unexpected(_ operation: String) -> CacheError {
        CacheError(.storeRejected, "the store's answer to '\(operation)' is none that it could give")
    }
}

extension Refusal {
    fileprivate init(_ obstacle: CommandObstacle) {
        switch obstacle {
        case .credentials: self = .credentials
        case .database: self = .database
        case .quota: self = .quota
        }
    }
}

extension RESPError {
    /// Why somebody has to mend it.
    var refusal: Refusal? {
        switch (code, serviceLimit) {
        case (.noAuth, _), (.wrongPassword, _), (.noPermission, _): .credentials
        case (_, .commands), (_, .capacity): .quota
        default: isOfScriptsUser ? .credentials : nil
        }
    }

    /// Whether the user may not do what a script does: that has no code, and other words since Redis 7.2.
    fileprivate var isOfScriptsUser: Bool {
        code == .generic
            && ["The user executing the script can't ", "ACL failure in script"].contains { message.hasPrefix($0) }
    }
}
