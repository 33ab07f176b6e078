/// How much the failure of one server says where several were asked for the same in vain.
enum FailureWeight: Comparable {
    /// It is not there, or lets nobody in.
    case absence
    /// It may be in time when it is asked again.
    case lateness
    /// It will not let the client in the next time either.
    case lasting
    /// It lets the client in, and answers something else.
    case refusal

    /// - Parameter isAnswered: whether the server has answered, but not what it was asked.
    init(_ error: any Error, isAnswered: Bool) {
        switch error {
        case let error as RedisClientError where error.isLasting: self = .lasting
        case let error as RedisClientError where !isAnswered: self = error.isTimeout ? .lateness : .absence
        default: self = .refusal
        }
    }
}
