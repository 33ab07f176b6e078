/// What `expire` and `remove` say.
struct InvalidationReport: Encodable {
    let field: String
    let done: String
    /// The store does not take the invalidation now, and is told later.
    let queued: Bool

    static func print(_ field: String, _ done: String, _ answer: ServiceClient.Answer, json: Bool) throws {
        guard answer.status == 204 || answer.status == 202 else {
            throw Failure(.badData, "what answered \(answer.status) to this is no Freshet service")
        }
        let report = InvalidationReport(field: field, done: done, queued: answer.status == 202)
        if json { return try Output.json(report) }
        try Output.line(
            "\(field): \(done)\(report.queued ? " here; the store does not take it now, and is told later" : "")"
        )
    }
}
