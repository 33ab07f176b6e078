/// Why a handshake failed, as far as the error tells.
package enum HandshakeFault {
    /// The server asks for a client's certificate, or does not accept the one it got.
    case clientCertificate
    /// The server gives no reason; it may ask for a client's certificate.
    case refused
    /// The server speaks no TLS of 1.2 or newer.
    case oldVersion
    /// The server's certificate is not trusted.
    case untrusted

    package init?(_ error: any Error) {
        let text = "\(error)"
        let known = Self.words.first { $0.words.contains(where: text.contains) }
        guard let known else { return nil }
        self = known.fault
    }

    /// In the order in which they count.
    private static let words: [(fault: HandshakeFault, words: [String])] = [
        (
            .clientCertificate,
            [
                "CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE_", "ALERT_UNSUPPORTED_CERTIFICATE",
                "ALERT_UNKNOWN_CA",
            ]
        ),
        (.refused, ["ALERT_HANDSHAKE_FAILURE"]),
        (.oldVersion, ["ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"]),
        (.untrusted, ["CERTIFICATE_VERIFY_FAILED"]),
    ]
}
