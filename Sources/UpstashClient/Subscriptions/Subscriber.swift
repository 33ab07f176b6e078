import AsyncHTTPClient
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// What subscriptions are made with.
struct SubscriptionTools: Sendable {
    let configuration: UpstashClient.Configuration
    let requests: RequestFactory
    let httpClient: HTTPClient
    let eventLoop: any EventLoop
    let logger: Logger
}

/// The subscriptions of a client.
final class Subscriber: Sendable {
    private struct State {
        var isClosed = false
        var lastID: UInt64 = 0
        var keepers: [UInt64: SubscriptionKeeper.Handle] = [:]
    }

    private let tools: SubscriptionTools
    private let state = NIOLockedValueBox(State())

    init(_ tools: SubscriptionTools) { self.tools = tools }

    func subscribe(to targets: [SubscriptionTarget]) async throws -> RedisSubscription {
        let (subscription, writer) = RedisSubscription.make(
            bufferingAtMost: tools.configuration.maxBufferedMessages,
            bytes: tools.configuration.maxResponseBytes
        )
        let keeper = SubscriptionKeeper(targets: Set(targets), writer: writer, tools)
        let handle = SubscriptionKeeper.Handle(keeper, eventLoop: tools.eventLoop)
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
