/// Why a source or a store refuses to serve at all, where that takes somebody to mend it.
package enum Refusal: String, Sendable, Hashable {
    /// It does not accept the token or password, or that does not allow what was asked.
    case credentials
    /// The store has no database of the number that it is asked for.
    case database
    /// What was paid for is used up.
    case quota
}

extension CacheError {
    /// The same error, with why somebody has to mend it.
    package func because(of refusal: Refusal?) -> CacheError {
        var error = self
        error.refusal = refusal
        return error
    }

    /// The same error, with whether the store cannot serve the key either.
    package func ofKey(_ isOfKey: Bool) -> CacheError {
        var error = self
        error.isOfKey = isOfKey
        return error
    }

    /// The same error, with whether a part of what was asked has been done.
    package func halfDone(_ isHalfDone: Bool) -> CacheError {
        var error = self
        error.isHalfDone = isHalfDone
        return error
    }
}
