/// Whether servers are to tell when what is read changes.
enum Tracking: Sendable {
    case off
    /// Where they do not, commands run all the same.
    case preferred
    /// Where they do not, commands fail.
    case required
}

extension RedisClient.Configuration {
    var tracking: Tracking {
        guard clientSideCaching else { return .off }
        return requiresClientSideCaching ? .required : .preferred
    }
}
