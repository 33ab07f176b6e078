extension RESPError {
    /// What stands in the place of a part of a reply that was not kept.
    package static func tooDeep(limit: Int) -> RESPError {
        RESPError("ERR the reply is nested deeper than \(limit) levels")
    }
}
