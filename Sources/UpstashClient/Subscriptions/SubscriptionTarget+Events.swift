import NIOCore
import RESP

/// Where the service is asked to listen, and what it tells of it: `message,chat,hi`.
extension SubscriptionTarget {
    enum Event: Hashable {
        case confirmed
        case message(RedisMessage)
    }

    var path: String {
        switch self {
        case .channel(let name): "/subscribe/\(PathForm.encoded(name))"
        case .pattern(let name): "/psubscribe/\(PathForm.encoded(name))"
        }
    }

    /// - Returns: `nil` for what tells nothing of this target.
    func event(_ data: ByteBuffer) -> Event? {
        var data = data
        switch self {
        case .channel(let name):
            if data.skip("subscribe,\(name),") { return .confirmed }
            guard data.skip("message,\(name),") else { return nil }
            return .message(RedisMessage(channel: name, payload: data))
        case .pattern(let pattern):
            if data.skip("psubscribe,\(pattern),") { return .confirmed }
            guard data.skip("pmessage,\(pattern),"),
                let comma = data.readableBytesView.firstIndex(of: UInt8(ascii: ",")),
                let channel = data.readString(length: comma - data.readerIndex)
            else { return nil }
            data.moveReaderIndex(forwardBy: 1)
            return .message(RedisMessage(channel: channel, pattern: pattern, payload: data))
        }
    }
}

extension ByteBuffer {
    /// Passes over a text if it stands at the beginning.
    fileprivate mutating func skip(_ text: String) -> Bool {
        guard readableBytesView.starts(with: text.utf8) else { return false }
        moveReaderIndex(forwardBy: text.utf8.count)
        return true
    }
}
