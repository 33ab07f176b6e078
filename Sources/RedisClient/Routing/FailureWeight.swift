import RESP

/// How much the failure of one server says where several were asked for the same in vain.
enum FailureWeight: Comparable {
    case absence
    /// It may be in time when it is asked again.
    case lateness
    case lasting
    /// A server that lets the client in, and refuses the question.
    case refusal

    init(_ error: any Error) {
        guard let error = error as? RedisClientError else {
            self = .refusal
            return
        }
        self = error.isLasting ? .lasting : error.isTimeout ? .lateness : .absence
    }
}
