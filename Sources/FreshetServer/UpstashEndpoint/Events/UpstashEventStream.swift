import HTTPTypes
import Hummingbird
import NIOCore
import RESP
import ServiceLifecycle

/// Messages of channels, or the commands that the store runs, as server-sent events.
///
/// The stream ends where something may have been missed – the server went away, the reader is too slow – so that its
/// reader, who subscribes again, knows; and when the endpoint is told to stop.
struct UpstashEventStream {
    /// Hands events over one after the other, until there are no more or its task is cancelled.
    private typealias Source = @Sendable (_ take: (ByteBuffer) -> Void) async throws -> Void

    /// The answer to those who ask whether there is one.
    static let headResponse = Response(status: .ok, headers: headers)
    private static let headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-cache"]

    let backend: any UpstashBackend
    let limits: UpstashEndpointLimits
    let gate: RequestGate
    let queues: UpstashEventQueues

    /// Answers once the server has confirmed, so that what happens afterwards is told.
    func response(to request: Request, on channel: any Channel, _ events: UpstashEvents) async throws -> Response {
        guard gate.enter() else { throw UpstashRefusal.unavailable("too many subscriptions are open") }
        let seat = Seat(gate: gate)
        let source = try await open(events)
        // The connection ends with the stream, so that no client sends its next request into that end.
        var headers = Self.headers
        headers[.connection] = "close"
        let heartbeat = limits.heartbeat
        let body = ResponseBody { writer in
            defer { withExtendedLifetime(seat) {} }
            let queue = queues.add()
            defer { queues.remove(queue) }
            try await writer.write(events.confirmation)
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                try await Self.pump(source, heartbeat, through: queue, until: channel.closeFuture, to: &writer)
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private func open(_ events: UpstashEvents) async throws -> Source {
        switch events {
        case .channels, .patterns:
            let messages = try await backend.subscribe(events)
            return { take in
                for try await event in messages {
                    guard case .message(let message) = event else { return }
                    take(message.event)
                }
            }
        case .monitor:
            let lines = try await backend.monitor()
            return { take in
                for await line in lines { take(.serverSentEvent(line)) }
            }
        }
    }

    /// Ends with the events, the client, or the endpoint.
    ///
    /// - Parameter end: of the connection. That its client sends no more is not seen while another request waits there.
    private static func pump(
        _ source: @escaping Source,
        _ heartbeat: Duration,
        through queue: UpstashEventQueue,
        until end: EventLoopFuture<Void>,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        end.whenComplete { _ in queue.finish() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { queue.finish() }
                try await source { event in
                    // Takes leave of the store at once, however long the reader takes for what is waiting.
                    if !queue.put(event) { withUnsafeCurrentTask { $0?.cancel() } }
                }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: heartbeat)
                    queue.putComment()
                }
            }
            defer { group.cancelAll() }
            try await withGracefulShutdownHandler {
                for await _ in queue.signals {
                    while !Task.isCancelled, let event = queue.next() {
                        defer { queue.written(event) }
                        try await writer.write(event.bytes)
                    }
                }
            } onGracefulShutdown: {
                queue.finish()
            }
        }
    }

    /// A place at the gate, given up with the last reference.
    private final class Seat: Sendable {
        private let gate: RequestGate

        init(gate: RequestGate) { self.gate = gate }

        deinit { gate.leave() }
    }
}

extension UpstashEvents {
    /// One event for each name, with the number of different ones so far.
    fileprivate var confirmation: ByteBuffer {
        switch self {
        case .channels(let names), .patterns(let names):
            var events = ByteBuffer()
            var distinct: Set<[UInt8]> = []
            for name in names {
                distinct.insert(Array(name.utf8))
                let text = "\(command.lowercased()),\(name),\(distinct.count)"
                events.writeServerSentEvent(ByteBuffer(string: text))
            }
            return events
        case .monitor:
            return .serverSentEvent("\"OK\"")
        }
    }
}

extension RedisMessage {
    /// `message,channel,payload` or `pmessage,pattern,channel,payload`.
    fileprivate var event: ByteBuffer {
        var text = ByteBuffer(string: pattern.map { "pmessage,\($0),\(channel)," } ?? "message,\(channel),")
        text.writeImmutableBuffer(payload)
        var event = ByteBuffer()
        event.writeServerSentEvent(text)
        return event
    }
}
