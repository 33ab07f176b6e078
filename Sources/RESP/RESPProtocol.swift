/// The version of the wire protocol spoken on a connection.
public enum RESPProtocol: Int, Sendable, Hashable, CaseIterable {
    /// Understood by every server: five types, no pushes beside replies.
    case resp2 = 2
    /// Redis 6 and later: maps, sets, doubles, booleans, attributes and pushes.
    case resp3 = 3
}
