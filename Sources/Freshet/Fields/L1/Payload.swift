import NIOCore

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
