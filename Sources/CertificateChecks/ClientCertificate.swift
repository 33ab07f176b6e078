/// A certificate of one's own, as servers speak of it.
package enum ClientCertificate {
    /// Whether a server, by an error of TLS, asks for one or does not accept the one it got.
    package static func isCause(of error: any Error) -> Bool {
        let text = "\(error)"
        return alerts.contains(where: text.contains)
    }

    private static let alerts = [
        "CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE_", "ALERT_UNSUPPORTED_CERTIFICATE",
        "ALERT_UNKNOWN_CA",
    ]
}
