import NIOCore

extension CacheService {
    /// Decodes what the store had. As `String`, a value that is no JSON string is its own text, so that what `incr` or
    /// another program wrote can be read.
    ///
    /// - Throws: `CacheError` with `invalidValue`, once it has been counted and logged.
    func decode<Value: Decodable>(_ bytes: ByteBuffer, as type: Value.Type) throws -> Value {
        do {
            // Zeros at the beginning are those of a binary value, not UTF-16's.
            let isText = !bytes.readableBytesView.prefix(4).contains(0)
            return try StoredJSON.decode(type, from: bytes, inAnyUnicode: isText)
        } catch {
            if Value.self == String.self,
                let text = try? bytes.getUTF8ValidatedString(at: bytes.readerIndex, length: bytes.readableBytes),
                let value = text as? Value
            {
                return value
            }
            noteUndecodable(error)
            throw error
        }
    }
}
