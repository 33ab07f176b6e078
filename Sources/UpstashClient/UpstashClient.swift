public import AsyncHTTPClient
public import Logging
import NIOCore
public import RESP

/// A client for Upstash Redis over REST, and for whatever speaks the same, the header `Upstash-Encoding` included. `PING`
/// fails where that is not heeded.
///
/// ```swift
/// let client = try UpstashClient(.init(url: "https://name.upstash.io", token: token))
/// try await client.execute(RESPCommand("SET", "greeting", "hello"))
/// let greeting = try await client.execute(RESPCommand("GET", "greeting")).string
/// await client.close()
/// ```
///
/// Commands of many tasks share requests; each gets a result or an error of its own. Values are binary-safe in both
/// directions. Every command ends at its deadline, at the latest. A request is sent again only if it never was sent, or
/// its command changes nothing (``RESP/RESPCommand/isReadOnly``). An error is never taken for a missing value.
///
/// **Order.** Commands that have a key in common which one of them writes are run in the order of the calls, whatever
/// form they are sent in and however often; a read is never answered from before an earlier write. Those without a
/// known key (`EVAL` with none, `FLUSHDB`, `KEYS`) count as touching all, `PUBLISH` comes after all earlier writes.
/// Others may overtake, so that a slow request holds up only what depends on it. A pipeline's commands are run in their
/// order in any case. A write that ended without an answer, when the connection broke or its time was over, may still
/// be run later, and a read that is asked again may see what was written after it. Child tasks are not bound to call in
/// the order in which they were started; where that matters, use a pipeline.
///
/// One argument of a command may be bytes that are not UTF-8. Such a command has a request to itself, its other
/// arguments are in the URL, and those behind the bytes must be options of the kind `PX 1000 NX`. The source of a script
/// that is too long for that is sent before, with `SCRIPT LOAD`.
///
/// With a database in several regions a client sees its own writes: it sends the token with which the service marks
/// them. Of writes that are under way at once the token of the one sent last is kept; a read right after may miss the
/// others.
public final class UpstashClient: CommandExecutor, ChannelSubscriber, Sendable {
    public let configuration: Configuration
    let eventLoop: any EventLoop
    private let inbox: Inbox
    private let lane: NIOLoopBoundBox<Lane>
    private let subscriber: Subscriber

    /// Makes a client; connects to nothing yet.
    ///
    /// - Parameters:
    ///   - httpClient: should neither follow redirects nor retry by itself, and use HTTP/1.1 only (`httpVersion`): over
    ///     HTTP/2 every command goes on failing on a connection that is dead. Each channel and pattern that is subscribed
    ///     to keeps one of its connections (`concurrentHTTP1ConnectionsPerHostSoftLimit`), commands take the others.
    ///     An answer with a status below 100 ends the process in it, and so may, with several event loops, a connection
    ///     that is closed right after an answer. Without one, clients share two for each event loop, for commands and for
    ///     subscriptions, which do neither.
    ///   - logger: told at `info` level when a subscription is interrupted, once for each reason.
    /// - Throws: ``UpstashError`` with ``UpstashError/Code/invalidConfiguration``.
    public init(
        _ configuration: Configuration,
        httpClient: HTTPClient? = nil,
        logger: Logger = Logger(label: "freshet.upstash", factory: { _ in SwiftLogNoOpLogHandler() })
    ) throws {
        self.configuration = configuration
        let requests = try RequestFactory(configuration)
        eventLoop = (httpClient?.eventLoopGroup ?? HTTPClient.defaultEventLoopGroup).next()
        inbox = Inbox(limit: configuration.maxQueued)
        lane = .makeBoxSendingValue(
            Lane(
                configuration: configuration,
                requests: requests,
                httpClient: httpClient ?? SharedHTTPClients.on(eventLoop).ofCommands,
                eventLoop: eventLoop,
                inbox: inbox
            ),
            eventLoop: eventLoop
        )
        let tools = SubscriptionTools(
            configuration: configuration,
            requests: requests,
            httpClient: httpClient ?? SharedHTTPClients.on(eventLoop).ofSubscriptions,
            eventLoop: eventLoop,
            logger: logger
        )
        subscriber = Subscriber(tools)
    }

    deinit {
        subscriber.close()
    }

    // MARK: Commands

    /// Runs one command within ``Configuration/commandTimeout``.
    ///
    /// - Throws: `RESPError` for an error reply; ``UpstashError`` when there was none, or it tells of a condition of
    ///   the service.
    @discardableResult
    public func execute(_ command: RESPCommand) async throws -> RESPValue {
        try await execute(command, timeout: configuration.commandTimeout)
    }

    /// Runs one command that has more or less time than others.
    @discardableResult
    public func execute(_ command: RESPCommand, timeout: Duration) async throws -> RESPValue {
        let pieces = try RequestPlan.pieces(of: command, limits: configuration)
        let values = try await run(
            Job(pieces[0], then: pieces.dropFirst(), isPipeline: false, deadline: Self.deadline(timeout))
        )
        for case .error(let error) in values { throw UpstashError(error) ?? error }
        let value = values.last ?? .null
        // Where the encoding is not heeded, other results may be base64 by chance, and so wrong values.
        if command.name == "PING", command.argumentCount == 0, value.string != "PONG" {
            throw UpstashError(.invalidAnswer, UpstashError.notEncoded, mayHaveExecuted: true)
        }
        return value
    }

    /// Runs several commands in order, in one request where they fit, within ``Configuration/commandTimeout`` together.
    ///
    /// From `MULTI` to `EXEC` they are a transaction if they are the whole pipeline.
    ///
    /// - Returns: their results; one that failed, or cannot be sent, is a ``RESP/RESPValue/error(_:)``.
    /// - Throws: ``UpstashError`` when not all results came, the quota is used up, or the token is refused.
    @discardableResult
    public func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
        try await execute(pipeline: pipeline, timeout: configuration.commandTimeout)
    }

    /// Runs several commands that have more or less time than others.
    @discardableResult
    public func execute(pipeline: [RESPCommand], timeout: Duration) async throws -> [RESPValue] {
        if let commands = Transaction.commands(of: pipeline) {
            return try await Transaction.replies(commands.count) { try await transaction(commands, timeout: timeout) }
        }
        let plan = RequestPlan(pipeline, limits: configuration)
        var values: [RESPValue] = []
        if let first = plan.pieces.first {
            let later = plan.pieces.dropFirst()
            values = try await run(Job(first, then: later, isPipeline: true, deadline: Self.deadline(timeout)))
        }
        for refusal in plan.refusals { values.insert(.error(refusal.error.reply), at: refusal.place) }
        for case .error(let error) in values {
            guard let condition = UpstashError(error), [.quotaExceeded, .unauthorized].contains(condition.code)
            else { continue }
            let mayHaveExecuted = values.contains { $0.error == nil }
            throw UpstashError(condition.code, condition.message, mayHaveExecuted: mayHaveExecuted, underlying: error)
        }
        return values
    }

    /// Runs commands as a transaction, within ``Configuration/commandTimeout``.
    ///
    /// - Returns: their results; one that failed is a ``RESP/RESPValue/error(_:)``, and the others were run.
    /// - Throws: `RESPError` if the transaction was discarded: no command was run. Otherwise as ``execute(_:)``.
    public func transaction(_ commands: [RESPCommand]) async throws -> [RESPValue] {
        try await transaction(commands, timeout: configuration.commandTimeout)
    }

    /// Runs a transaction that has more or less time than other commands.
    public func transaction(_ commands: [RESPCommand], timeout: Duration) async throws -> [RESPValue] {
        if commands.isEmpty { return [] }
        let piece = try RequestPlan.transaction(commands, limits: configuration)
        return try await run(Job(piece, isPipeline: false, deadline: Self.deadline(timeout)))
    }

    private static func deadline(_ timeout: Duration) -> NIODeadline { .now() + TimeAmount(clamping: timeout) }

    private func run(_ job: Job) async throws -> [RESPValue] {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                guard job.wait(continuation) else { return }
                do {
                    if try inbox.put(job) { wake() }
                } catch {
                    job.fail(error)
                }
            }
        } onCancel: {
            if inbox.cancel(job) { wake() }
        }
    }

    private func wake() { eventLoop.execute { [lane] in lane.value.drain() } }

    /// Commands that have been handed over and have not left yet.
    package var waitingCount: Int { inbox.count }

    /// Takes no more commands, gives those under way a second to end, and ends all subscriptions.
    public func close() async {
        subscriber.close()
        let limit = eventLoop.scheduleTask(in: .seconds(1)) { [lane] in lane.value.giveUp() }
        await inbox.close()
        limit.cancel()
    }

    // MARK: Publish and subscribe

    /// Listens to channels.
    ///
    /// Returns when the service has confirmed. Each channel takes a connection of its own, which is made again when it
    /// is lost; see `RedisSubscription`. Messages are text.
    ///
    /// - Throws: ``UpstashError``, also when ``Configuration/subscribeTimeout`` is over; `RESPError` if the service refuses.
    public func subscribe(to channels: [String]) async throws -> RedisSubscription {
        try await subscriber.subscribe(to: channels.map { .channel($0) })
    }

    /// Listens to all channels that match glob-style patterns.
    ///
    /// The service separates the parts of a message with commas: a channel's name that a pattern matches ends at its
    /// first comma.
    public func psubscribe(to patterns: [String]) async throws -> RedisSubscription {
        try await subscriber.subscribe(to: patterns.map { .pattern($0) })
    }
}
