package import NIOSSL

extension NIOSSLCertificate {
    /// Whether one that NIOSSL takes for a host of this name was made for the name. NIOSSL is content with the
    /// server's address, too, and whoever has an address gets a certificate for it, whether the name means them or not.
    package func isMade(forHost host: String) -> Bool {
        let names = _subjectAlternativeNames()
        guard names.contains(where: { $0.nameType == .ipAddress }) else { return true }
        let host = Self.comparable(host.utf8)
        let parent = host.drop { $0 != UInt8(ascii: ".") }
        let accepted = parent.isEmpty ? [host] : [host, [UInt8(ascii: "*")] + parent]
        return names.contains { $0.nameType == .dnsName && accepted.contains(Self.comparable($0.contents)) }
    }

    /// Names in DNS differ in bytes, but for the case of letters and a dot at the end.
    private static func comparable(_ name: some Sequence<UInt8>) -> [UInt8] {
        let capitals = UInt8(ascii: "A")...UInt8(ascii: "Z")
        let bytes = name.map { capitals.contains($0) ? $0 | 0x20 : $0 }
        return bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes
    }
}
