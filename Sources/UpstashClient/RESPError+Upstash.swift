public import RESP

extension RESPError {
    /// Which of the service's own conditions the error tells of, or which one the client has found itself; `nil` for what
    /// any Redis answers, such as `WRONGTYPE`.
    ///
    /// A result over the limit has the text of a request over the limit; it is taken for the former, since
    /// ``UpstashClient`` does not send the latter.
    public var upstashCode: UpstashError.Code? {
        if code == .wrongPassword || code == .noAuth { return .unauthorized }
        return switch serviceLimit {
        case .commands: .quotaExceeded
        case .capacity: .capacityExceeded
        case .record: .requestTooLarge
        case .request: .resultTooLarge
        case .connections: .rateLimited
        case nil: codeOfClient
        }
    }

    /// `ERR requestTooLarge: …`, see ``UpstashError/reply``.
    private var codeOfClient: UpstashError.Code? {
        guard code == .generic, let colon = message.firstIndex(of: ":"),
            let own = UpstashError.Code(rawValue: String(message[..<colon])), own.isRefusal
        else { return nil }
        return own
    }

    /// `… Limit: 10485760 bytes, Actual: 20000000 bytes`
    var tellsOfMoreThanItsLimit: Bool {
        let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
        return numbers.count == 2 && numbers[1] > numbers[0]
    }
}

extension UpstashError {
    /// The condition that an error reply tells of, if it is one.
    init?(_ reply: RESPError) {
        guard let code = reply.upstashCode else { return nil }
        let message = code == .unauthorized ? Self.wrongToken : reply.description
        // A result is there only after its command was run.
        self.init(code, message, mayHaveExecuted: code == .resultTooLarge, underlying: reply)
    }

    static let noHTTP = "What the service answers is no HTTP. Is the URL the one for REST?"
    static let notEncoded = """
        PING is not answered with PONG: what is at the URL, or a proxy before it, does not heed the header \
        Upstash-Encoding, so that results cannot be read.
        """
    static let wrongToken = """
        The service refuses the token. It must be the REST token (UPSTASH_REDIS_REST_TOKEN), which is not always the \
        password of the database.
        """
}
