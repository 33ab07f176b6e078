extension AirtableStandIn {
    /// A way in which a request can go wrong.
    public enum Fault: Sendable, Hashable {
        /// Answers with this status and the body that Airtable sends with it.
        case status(Int)
        /// Answers properly, after a time on the stand-in's clock.
        case delay(Duration)
        /// Never answers.
        case hang
        /// Closes the connection in the middle of the body.
        case cut
        /// Stops in the middle of the body, and keeps the connection.
        case stall
        /// Says 200 and sends a web page.
        case html
        /// Says 200 and JSON, and sends none.
        case garbage
        /// Says 200 and sends half of the JSON, as if that were all.
        case truncated
        /// Says that the iterator is not available, whether it is or not.
        case iteratorGone
        /// Answers 429 as for too many requests, and locks the base.
        case rateLimit
        /// Says 200 and sends an answer that has the wrong types.
        case wrongTypes
        /// Says that the page that was asked for is the next one, too.
        case circle
    }
}

/// A fault that waits for its request.
struct ArmedFault: Sendable {
    var fault: AirtableStandIn.Fault
    var skip: Int
    var times: Int
}
