extension AirtableStandIn {
    /// What was asked and answered.
    public struct Statistics: Sendable, Hashable {
        /// All requests, those that were refused too.
        public var requests = 0
        /// Those that asked with POST.
        public var posts = 0
        /// How many were answered with each status. A hang has none.
        public var statuses: [Int: Int] = [:]
        /// How many bytes of bodies were sent.
        public var bytes = 0
    }
}
