import Crypto
package import NIOCore
import NIOFoundationCompat

/// A value as it is served: encoded once, decoded once. Unchecked since it has a subclass; nothing in either changes.
@usableFromInline
class Payload: @unchecked Sendable {
    let bytes: ByteBuffer
    /// SHA-1 of the bytes in hexadecimal: the digest the store keeps, and the entity tag HTTP clients get.
    let digest: String

    init(bytes: ByteBuffer, digest: String) {
        self.bytes = bytes
        self.digest = digest
    }
}

@usableFromInline
final class TypedPayload<Value: Sendable>: Payload, @unchecked Sendable {
    @usableFromInline
    let value: Value

    init(_ value: Value, bytes: ByteBuffer, digest: String) {
        self.value = value
        super.init(bytes: bytes, digest: digest)
    }
}

extension ByteBuffer {
    /// SHA-1 in hexadecimal. It tells values apart; it protects nothing.
    package var sha1: String {
        Insecure.SHA1.hash(data: readableBytesView).hexadecimal
    }
}

extension Insecure.SHA1Digest {
    var hexadecimal: String {
        let hex = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [hex[Int($0 >> 4)], hex[Int($0 & 15)]] }, as: UTF8.self)
    }
}
