import NIOCore

/// The types whose bytes follow their length.
enum BlobKind: Sendable {
    case bulkString, verbatimString, error

    func value(_ bytes: ByteBuffer) throws(RESPDecodingError) -> RESPValue {
        switch self {
        case .bulkString:
            return .bulkString(bytes)
        case .error:
            return .error(RESPError(String(buffer: bytes)))
        case .verbatimString:
            // Three letters and a colon stand before the text.
            var text = bytes
            guard let format = text.readString(length: 3), text.readInteger(as: UInt8.self) == UInt8(ascii: ":") else {
                throw RESPDecodingError(.malformed)
            }
            return .verbatimString(format: format, text)
        }
    }
}

/// A long string of which a part has arrived. Bytes go straight into its own memory.
struct PartialBlob: Sendable {
    let kind: BlobKind
    private let length: Int
    private(set) var bytes: ByteBuffer

    init(kind: BlobKind, length: Int, input: inout ByteBuffer) {
        self.kind = kind
        self.length = length
        // An announced length costs the peer nothing, so only so much is reserved for it at once.
        bytes = ByteBuffer()
        bytes.reserveCapacity(min(length, 1 << 20))
        fill(from: &input)
    }

    var isFull: Bool { bytes.readableBytes == length }

    mutating func fill(from input: inout ByteBuffer) {
        let missing = min(length - bytes.readableBytes, input.readableBytes)
        guard missing > 0, let part = input.readSlice(length: missing) else { return }
        bytes.writeImmutableBuffer(part)
    }
}
