import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import TestSupport

/// An HTTP server that counts what it is asked, answers with the version the test has set when it was asked, and can be
/// held up.
final class CountingSource: Sendable {
    private struct Load {
        let channel: any Channel
        let version: Int
    }

    private struct State {
        var listener: (any Channel)?
        var version = 1
        var loads = 0
        var isBlocked = false
        var isFailing = false
        var waiting: [Int: Load] = [:]
    }

    private let state = NIOLockedValueBox(State())

    static func start() async throws -> CountingSource {
        let source = CountingSource()
        let listener = try await listenOnLoopback { channel in
            try channel.pipeline.syncOperations.configureHTTPServerPipeline()
            try channel.pipeline.syncOperations.addHandler(Asked(source: source))
        }
        source.state.withLockedValue { $0.listener = listener }
        return source
    }

    deinit { state.withLockedValue { $0.listener }?.close(promise: nil) }

    var url: String { "http://127.0.0.1:\(state.withLockedValue { $0.listener?.localAddress?.port } ?? 0)/value.json" }

    /// How many loads have begun.
    var loads: Int { state.withLockedValue { $0.loads } }

    /// What loads that begin from now on bring.
    var version: Int {
        get { state.withLockedValue { $0.version } }
        set { state.withLockedValue { $0.version = newValue } }
    }

    /// Whether loads that begin from now on wait for ``answer(_:)``.
    var isBlocked: Bool {
        get { state.withLockedValue { $0.isBlocked } }
        set { state.withLockedValue { $0.isBlocked = newValue } }
    }

    /// Whether loads that begin from now on fail.
    var isFailing: Bool {
        get { state.withLockedValue { $0.isFailing } }
        set { state.withLockedValue { $0.isFailing = newValue } }
    }

    /// Lets one load go on, by its number from 1.
    func answer(_ number: Int) {
        guard let load = state.withLockedValue({ $0.waiting.removeValue(forKey: number) }) else { return }
        Self.send(.ok, Self.body(load.version), to: load.channel)
    }

    /// Lets all loads go on, those to come too.
    func release() {
        let numbers = state.withLockedValue { state in
            state.isBlocked = false
            return state.waiting.keys.sorted()
        }
        for number in numbers { answer(number) }
    }

    static func body(_ version: Int) -> String { "{\"version\":\(version)}" }

    private func asked(over channel: any Channel) {
        let (version, isFailing): (Int?, Bool) = state.withLockedValue { state in
            state.loads += 1
            guard state.isBlocked else { return (state.version, state.isFailing) }
            state.waiting[state.loads] = Load(channel: channel, version: state.version)
            return (nil, false)
        }
        if isFailing { return Self.send(.internalServerError, "{}", to: channel) }
        if let version { Self.send(.ok, Self.body(version), to: channel) }
    }

    private static func send(_ status: HTTPResponseStatus, _ body: String, to channel: any Channel) {
        let headers: HTTPHeaders = ["content-type": "application/json", "content-length": "\(body.utf8.count)"]
        channel.write(
            HTTPServerResponsePart.head(.init(version: .http1_1, status: status, headers: headers)),
            promise: nil
        )
        channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: body))), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
    }

    private final class Asked: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        private let source: CountingSource

        init(source: CountingSource) { self.source = source }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .end = unwrapInboundIn(data) { source.asked(over: context.channel) }
        }
    }
}
