import NIOCore
import RESP

extension RedisClient {
    /// What the server runs from now on, for whomever, a line for each command; on a connection of its own.
    ///
    /// Returns when the server has confirmed. The lines end with the connection, and where the reader has fallen behind
    /// by ``Configuration/maxBufferedMessages`` or ``Configuration/maxBufferedBytes``; the connection ends with the
    /// reader, with the client, and where the client turns to another primary.
    ///
    /// - Throws: `RESPError` if the server refuses; ``RedisClientError``, ``RedisClientError/Code/unsupportedCommand``
    ///   for a cluster, whose nodes know their own commands only.
    package func monitor() async throws -> AsyncStream<String> {
        let node: RedisNode
        switch (backend, configuration.topology) {
        case (.one(let only), _):
            node = only
        case (.several, .cluster):
            throw RedisClientError(.unsupportedCommand, "A cluster cannot be monitored; connect to one of its nodes.")
        case (.several(let executor), _):
            let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
            node = try await executor.node(for: .anyPrimary, false, deadline)
        }
        let (lines, writer) = RedisSubscription.make(
            bufferingAtMost: configuration.maxBufferedMessages,
            bytes: configuration.maxBufferedBytes
        )
        try await withTaskCancellationHandler {
            try await node.unlessEnded { _ in node.eventLoop.flatSubmit { node.monitor(writer) } }.get()
        } onCancel: {
            writer.finish()
        }
        return AsyncStream(unfolding: {
            var events = lines.makeAsyncIterator()
            // Where lines were dropped it ends.
            guard case .message(let line)? = try? await events.next() else { return nil }
            return String(buffer: line.payload)
        })
    }
}

extension RedisNode {
    /// On the event loop.
    fileprivate func monitor(_ lines: SubscriptionWriter) -> EventLoopFuture<Void> {
        let connected = connector.connect(on: eventLoop) { connection in
            let id = ObjectIdentifier(connection.value)
            do throws(RedisClientError) {
                try attach(id) { connection.value.close($0) }
            } catch {
                connection.value.close(error)
            }
            lines.onEnd {
                self.detach(id)
                self.eventLoop.execute { connection.value.close(Self.cancelled(mayHaveExecuted: false)) }
            }
        }
        return connected.assumeIsolated().flatMap { connection in
            let confirmed = self.eventLoop.makePromise(of: Void.self)
            MonitorReceiver(connection.value, lines, confirmed).start(self.eventLoop, self.configuration.patience)
            return confirmed.futureResult
        }.nonisolated()
    }
}

/// The connection on which the server tells.
private final class MonitorReceiver: ConnectionReceiver {
    private let connection: ConnectionHandler
    private let lines: SubscriptionWriter
    private let confirmed: EventLoopPromise<Void>
    private var isConfirmed = false

    init(
        _ connection: ConnectionHandler,
        _ lines: SubscriptionWriter,
        _ confirmed: EventLoopPromise<Void>
    ) {
        self.connection = connection
        self.lines = lines
        self.confirmed = confirmed
    }

    /// - Parameter patience: for the server to confirm.
    func start(_ eventLoop: any EventLoop, _ patience: TimeAmount) {
        connection.report(to: self)
        connection.send([RESPCommand("MONITOR")])
        let late = RedisClientError(.timedOut, "The server did not confirm MONITOR in time.")
        let receiver = NIOLoopBound(self, eventLoop: eventLoop)
        let timer = eventLoop.scheduleTask(in: patience) {
            // One that is due cannot be cancelled.
            if !receiver.value.isConfirmed { receiver.value.end(late) }
        }
        confirmed.futureResult.whenComplete { _ in timer.cancel() }
    }

    func received(_ values: inout [RESPValue]) {
        for value in values { received(value) }
    }

    private func received(_ value: RESPValue) {
        switch value {
        case .simpleString(let line) where isConfirmed:
            if !lines.deliver(RedisMessage(channel: "", payload: ByteBuffer(string: line))) { lines.finish() }
        case .simpleString:
            isConfirmed = true
            confirmed.succeed()
        case .error(let error):
            end(error)
        default:
            break
        }
    }

    private func end(_ error: any Error) {
        confirmed.fail(error)
        lines.finish()
    }

    func closed(_ error: RedisClientError) {
        end(error)
    }

    func readStarted() {}
    func readCompleted() {}
    func becameWritable() {}
}
