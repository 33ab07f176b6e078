import HTTPTypes

/// What one client, or all together, may ask of an endpoint.
package struct UpstashEndpointLimits: Sendable {
    /// Name and arguments of one command, and the strings of its result, in bytes. The service's own figure.
    package var maxCommandBytes = 10 << 20
    /// Target and header fields of one request; more get 431. A key of 32 KiB takes up to 96 in a path.
    package var maxHeaderBytes = 128 << 10
    /// A request's body; more gets 413, and the connection is closed.
    package var maxBodyBytes = 64 << 20
    /// An answer; results beyond become errors.
    package var maxAnswerBytes = 64 << 20
    /// The bodies and answers of all requests that are under way. More get 503, or 502 where commands were run.
    package var maxBytesInFlight = 256 << 20
    /// Commands in one request.
    package var maxCommands = 100_000
    /// Names and arguments in one request; as many as Redis takes in one command.
    package var maxArguments = 1 << 20
    /// Requests that are being answered. More get 503.
    package var maxConcurrentRequests = 1024
    package var maxConnections = min(4096, OpenFiles.connections)
    /// Streams of events. More get 503.
    package var maxSubscriptions = 1024
    /// Events that wait for one slow reader, their bytes, and the bytes of those of all readers, where one counts once.
    /// More end the stream; of all readers, that of the one for whom most waits.
    package var maxWaitingEvents = 1024
    package var maxWaitingBytes = 32 << 20
    package var maxWaitingBytesInAll = 64 << 20
    /// What `memory://` holds. Once there is more, commands that take memory are refused.
    package var maxStoredBytes = 256 << 20
    /// Transactions at a time, each on a connection of its own. More wait.
    package var maxTransactions = 32
    /// How long a command may take.
    package var commandTimeout = Duration.seconds(10)
    /// How long a command waits for a server that is away.
    package var reconnectWait = Duration.seconds(1)
    /// Between the signs of life on a stream of events.
    package var heartbeat = Duration.seconds(15)

    package init() {}

    var server: ServerLimits {
        var limits = ServerLimits()
        limits.maxHeaderBytes = maxHeaderBytes
        limits.maxBodyBytes = maxBodyBytes
        limits.ownRefusalOfSyntax = UpstashRefusal("ERR not a request of HTTP/1.1: \(ServerLimits.syntax)").body()
        limits.ownRefusalOfHead = UpstashRefusal.headTooLarge(limit: maxHeaderBytes).body()
        limits.ownRefusalOfBody = UpstashRefusal.requestTooLarge(limit: maxBodyBytes).body()
        let rest = UpstashRefusal.unavailable("the endpoint ends; commands may have been run", .badGateway)
        limits.ownRefusalOfRest = ServerLimits.Refusal(rest.status, rest.body())
        limits.refusalFields = { _ in [.accessControlAllowOrigin: "*"] }
        return limits
    }
}
