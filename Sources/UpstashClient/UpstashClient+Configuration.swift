extension UpstashClient {
    /// Where the service is, and how to treat it.
    public struct Configuration: Sendable {
        /// Scheme, host and port, without a slash at the end.
        public let endpoint: String
        let token: String

        /// Time a command has, from the call to the result, with everything that is waited for in between.
        public var commandTimeout = Duration.milliseconds(500)
        /// How often a request is sent again, where that is safe and the deadline leaves time.
        public var maxRetries = 3
        /// Time before that: doubles from the lower bound to the upper, less up to half at random. As long as `Retry-After`
        /// says where a refusal (429, 503) has one in seconds.
        public var retryBackoff = Duration.milliseconds(20)...Duration.seconds(1)

        /// Commands are sent in one request at a time, so that those that come meanwhile share the next. A request that
        /// takes longer than this lets others go beside it, if they do not depend on it.
        public var overlapAfter = Duration.milliseconds(10)
        /// Requests under way at once, at most; one in any case.
        public var maxConcurrentRequests = 8
        /// Commands in one request, at most.
        public var maxCommandsPerRequest = 1000
        /// Bytes of a command's name and arguments, at most: more is refused before it is sent. The smaller plans of
        /// Upstash take 10 MB. Several commands share a request only as long as its body is not larger.
        public var maxRequestBytes = 10_000_000
        /// Bytes of an answer's body, at most; it carries results as base64, a third larger than they are. Where the
        /// results of commands that share a request do not fit together, some are lost. Reads among those are sent again,
        /// and fail only if their result alone is too large.
        public var maxResponseBytes = 64 << 20
        /// Commands that may wait. More are refused as ``UpstashError/Code/overloaded``.
        public var maxQueued = 65_536

        /// A subscription that heard nothing for so long is made again: its connection may be dead.
        public var subscriptionIdleTimeout = Duration.seconds(120)
        /// Time a subscription has to be confirmed.
        public var subscribeTimeout = Duration.seconds(5)
        /// Messages that a subscription keeps for a slow reader, before it drops some and says so; fewer where they
        /// have more than ``maxResponseBytes``.
        public var maxBufferedMessages = 4096

        /// - Parameters:
        ///   - url: `https://host`, as the console shows it for REST. White space and quotes around it are cut off.
        ///   - token: the REST token; treated alike.
        /// - Throws: ``UpstashError`` with ``UpstashError/Code/invalidConfiguration``, which says what is wrong and
        ///   repeats nothing that may be secret.
        public init(url: String, token: String) throws {
            endpoint = try Endpoint.read(PastedText.trimmed(url))
            self.token = try Endpoint.token(PastedText.trimmed(token))
        }
    }
}

extension UpstashClient.Configuration: CustomStringConvertible, CustomReflectable {
    /// The endpoint; never the token.
    public var description: String { endpoint }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
