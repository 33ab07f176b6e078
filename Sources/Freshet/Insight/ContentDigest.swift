import Crypto
import NIOCore

/// A digest of what a value says, leaving out the links that its source signs anew for every answer: Airtable's
/// attachment URLs. Takes one pass over the bytes.
package struct ContentDigest: Sendable, Hashable {
    let digest: String
    /// Links that are dead ``linkLifetime`` after the load.
    let hasDyingLinks: Bool

    /// How long Airtable's attachment URLs work.
    package static let linkLifetime = Duration.seconds(2 * 3600)
}

extension ContentDigest {
    private static let scheme = Array("\"https://".utf8)
    private static let host = Array("airtableusercontent.com".utf8)

    init(_ payload: Payload) {
        let (digest, hasLinks) = payload.bytes.withUnsafeReadableBytes { Self.digest(of: $0, whole: payload.digest) }
        self.digest = digest
        hasDyingLinks = hasLinks
    }

    /// - Parameter whole: what it is if there is nothing to leave out.
    private static func digest(of bytes: UnsafeRawBufferPointer, whole: String) -> (String, Bool) {
        var hasher = Insecure.SHA1()
        var done = 0
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "\"") else {
                index += 1
                continue
            }
            let start = index
            index += 1
            while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
            }
            index = min(index + 1, bytes.count)
            guard isDyingLink(bytes[start..<index]) else { continue }
            hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[done..<start]))
            done = index
        }
        guard done > 0 else { return (whole, false) }
        hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[done...]))
        return (hasher.finalize().hexadecimal, true)
    }

    /// Whether a JSON string, with its quotes, is a URL of that host or one below it.
    private static func isDyingLink(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
        guard text.starts(with: scheme) else { return false }
        let host = text.dropFirst(scheme.count).prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\"") }
        guard host.suffix(self.host.count).elementsEqual(self.host) else { return false }
        return host.count == self.host.count || host.dropLast(self.host.count).last == UInt8(ascii: ".")
    }
}
