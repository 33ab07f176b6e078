import RESP

/// How much the failure of one server says where several were asked for the same in vain.
enum FailureWeight: Comparable {
    /// Nobody is there to be asked.
    case absence
    /// It may be in time when it is asked again.
    case lateness
    /// It will not let the client in the next time either.
    case lasting
    /// It is there, and answers something else.
    case refusal

    init(_ error: any Error) {
        guard let error = error as? RedisClientError else {
            self = .refusal
            return
        }
        switch error.code {
        case .timedOut: self = .lateness
        case _ where error.isLasting: self = .lasting
        case .connectFailed, .connectionLost: self = error.underlying is RESPError ? .refusal : .absence
        default: self = .refusal
        }
    }
}
