extension AirtableStandIn {
    /// What the stand-in limits, and where it listens. The defaults are Airtable's own limits, on a free port.
    public struct Configuration: Sendable {
        public var host = "127.0.0.1"
        /// 0 takes a free one.
        public var port = 0
        /// How many requests a base takes within any second.
        public var requestsPerSecond = 5
        /// How many requests all bases together take within any second.
        public var requestsPerSecondOfUser = 50
        /// How long a base, or all of them, answers 429 after the last request that was too many.
        public var lockout: Duration = .seconds(30)
        /// How many calls are left this month; nil for any number.
        public var monthlyCalls: Int?
        /// How long an iterator lives without being used.
        public var iteratorLifetime: Duration = .seconds(300)
        /// Longer URLs are answered with 414.
        public var maxURLLength = 16_000
        /// Larger bodies, in bytes, are answered with 413.
        public var maxBodySize = 1 << 20

        public init() {}
    }
}
