import HTTPTypes

/// How results are written, as the request's headers wish.
enum UpstashAnswerFormat: Sendable, Hashable {
    case json
    /// JSON, in which all strings are base64 but for the status `OK` at the top.
    case base64
    /// As a server of RESP2 sends them.
    case resp2

    /// - Throws: ``UpstashRefusal`` for what the service does not know, and for base64 together with resp2.
    init(_ headers: HTTPFields) throws {
        let isBase64: Bool
        switch Self.value(of: .upstashEncoding, in: headers) {
        case nil, "": isBase64 = false
        case "base64": isBase64 = true
        default: throw UpstashRefusal("ERR invalid Upstash-Encoding; the only one is base64")
        }
        switch Self.value(of: .upstashResponseFormat, in: headers) {
        case nil, "json": self = isBase64 ? .base64 : .json
        case "resp2":
            if isBase64 { throw UpstashRefusal("ERR Upstash-Encoding base64 is not permitted with resp2") }
            self = .resp2
        default: throw UpstashRefusal("ERR invalid Upstash-Response-Format; it is json or resp2")
        }
    }

    var contentType: String {
        self == .resp2 ? "application/octet-stream" : ContentType.json
    }

    /// Transactions are answered in JSON only, and so is who wants another format.
    mutating func checkForTransaction() throws {
        guard self == .resp2 else { return }
        self = .json
        throw UpstashRefusal("ERR Upstash-Response-Format resp2 is not for /multi-exec")
    }

    private static func value(of name: HTTPField.Name?, in headers: HTTPFields) -> String? {
        name.flatMap { headers.text(of: $0) }?.lowercased()
    }
}

extension Optional<HTTPField.Name> {
    static let upstashEncoding = HTTPField.Name("Upstash-Encoding")
    static let upstashResponseFormat = HTTPField.Name("Upstash-Response-Format")
    static let upstashSyncToken = HTTPField.Name("Upstash-Sync-Token")
}
