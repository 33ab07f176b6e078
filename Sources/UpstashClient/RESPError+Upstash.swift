public import RESP

extension RESPError {
    /// Which of the service's own conditions the error tells of; `nil` for what any Redis answers, such as `WRONGTYPE`.
    ///
    /// The texts are those of Upstash's documentation. A result over the limit has the text of a request over the
    /// limit; it is taken for the former, since ``UpstashClient`` does not send the latter.
    public var upstashCode: UpstashError.Code? {
        if code == .wrongPassword || code == .noAuth { return .unauthorized }
        guard code == .generic else { return nil }
        let text = message.lowercased()
        return Self.conditions.first { text.hasPrefix($0.prefix) }?.code
    }

    private static let conditions: [(prefix: String, code: UpstashError.Code)] = [
        ("max requests limit exceeded", .quotaExceeded),
        ("max daily request limit exceeded", .quotaExceeded),
        ("max monthly request limit exceeded", .quotaExceeded),
        ("db capacity quota exceeded", .capacityExceeded),
        ("max single record size exceeded", .requestTooLarge),
        ("max key size exceeded", .requestTooLarge),
        ("max member size exceeded", .requestTooLarge),
        ("max request size exceeded", .resultTooLarge),
        ("max concurrent connections exceeded", .rateLimited),
    ]
}

extension UpstashError {
    /// The condition that an error reply tells of, if it is one.
    init?(_ reply: RESPError) {
        guard let code = reply.upstashCode else { return nil }
        let message = code == .unauthorized ? Self.wrongToken : reply.description
        // A result is there only after its command was run.
        self.init(code, message, mayHaveExecuted: code == .resultTooLarge, underlying: reply)
    }

    static let wrongToken = """
        The service refuses the token. It must be the REST token (UPSTASH_REDIS_REST_TOKEN), which is not always the \
        password of the database.
        """
}
