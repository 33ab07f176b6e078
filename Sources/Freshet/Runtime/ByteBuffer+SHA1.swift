import Crypto
package import NIOCore
import NIOFoundationCompat

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
