import AsyncHTTPClient
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// The subscriptions of a client.
final class Subscriber: Sendable {
    private struct State {
        var isClosed = false
        var lastID: UInt64 = 0
        var keepers: [UInt64: SubscriptionKeeper.Handle] = [:]
    }

    private let configuration: UpstashClient.Configuration
    private let requests: RequestFactory
    private let httpClient: HTTPClient
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(
        configuration: UpstashClient.Configuration,
        requests: RequestFactory,
        httpClient: HTTPClient,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.configuration = configuration
        self.requests = requests
        self.httpClient = httpClient
        self.eventLoop = eventLoop
        self.logger = logger
    }

    func subscribe(to targets: [SubscriptionTarget]) async throws -> RedisSubscription {
        let (subscription, writer) = RedisSubscription.make(
            bufferingAtMost: configuration.maxBufferedMessages,
            bytes: configuration.maxResponseBytes
        )
        let keeper = SubscriptionKeeper(
            targets: Set(targets),
            writer: writer,
            configuration: configuration,
            requests: requests,
            httpClient: httpClient,
            eventLoop: eventLoop,
            logger: logger
        )
        let handle = SubscriptionKeeper.Handle(keeper, eventLoop: eventLoop)
        let id = try add(handle)
        writer.onEnd { [state] in
            handle.close(nil)
            state.withLockedValue { $0.keepers[id] = nil }
        }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { handle.start($0) }
        } onCancel: {
            handle.close(UpstashError(.cancelled, "The task was cancelled."))
        }
        return subscription
    }

    private func add(_ handle: SubscriptionKeeper.Handle) throws -> UInt64 {
        let id: UInt64? = state.withLockedValue { state in
            guard !state.isClosed else { return nil }
            state.lastID += 1
            state.keepers[state.lastID] = handle
            return state.lastID
        }
        guard let id else { throw UpstashError(.closed, "The client was closed.") }
        return id
    }

    /// Ends all subscriptions; what is asked for afterwards is refused.
    func close() {
        let keepers = state.withLockedValue { state in
            state.isClosed = true
            defer { state.keepers = [:] }
            return state.keepers.values
        }
        for keeper in keepers { keeper.close(nil) }
    }
}
