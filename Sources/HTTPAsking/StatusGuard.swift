import NIOCore
import NIOHTTP1

/// Refuses answers with a status below 100: the parser lets them pass, and the client ends the process at them.
final class StatusGuard: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart

    private var hasRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data), head.status.code < 100 {
            hasRefused = true
            // The client closes the connection at that, idle or not.
            context.fireErrorCaught(HTTPParserError.invalidStatus)
        }
        if !hasRefused { context.fireChannelRead(data) }
    }
}
