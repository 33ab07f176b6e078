/// A limit of a plan or a service, rather than an answer to a command.
package enum ServiceLimit: Sendable, Hashable {
    /// The commands of this day or month are used up.
    case commands
    /// The database is full.
    case capacity
    /// A key or a record is too large.
    case record
    /// A request is too large, or a result: the text is the same.
    case request
    case connections
}

extension RESPError {
    /// Which limit the error tells of; `nil` for what any Redis answers. The texts are those of Upstash's documentation.
    package var serviceLimit: ServiceLimit? {
        guard code == .generic else { return nil }
        let text = message.lowercased()
        return Self.limits.first { text.hasPrefix($0.prefix) }?.limit
    }

    private static let limits: [(prefix: String, limit: ServiceLimit)] = [
        ("max requests limit exceeded", .commands),
        ("max daily request limit exceeded", .commands),
        ("max monthly request limit exceeded", .commands),
        ("db capacity quota exceeded", .capacity),
        ("max single record size exceeded", .record),
        ("max key size exceeded", .record),
        ("max member size exceeded", .record),
        ("max request size exceeded", .request),
        ("max concurrent connections exceeded", .connections),
    ]
}
