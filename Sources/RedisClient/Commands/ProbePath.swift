/// How far the question whether the server is there has come, which goes behind everything that was written before.
struct ProbePath {
    /// Bytes that the connection was given so far.
    private var written = 0
    /// Where the question ends.
    private var end = 0
    private var sent = 0

    mutating func wrote(_ byteCount: Int) {
        written += byteCount
    }

    /// - Parameters:
    ///   - waiting: bytes that the connection is still to be given, the question's the last.
    ///   - unsent: bytes that it was given and that are still to be sent.
    mutating func begin(waiting: Int, unsent: Int) {
        (end, sent) = (written + waiting, written - unsent)
    }

    /// - Returns: whether it has come closer to the server since the last time.
    mutating func advance(unsent: Int) -> Bool {
        let before = sent
        // What was written behind it says nothing: systems take it for servers that are frozen.
        sent = min(written - unsent, end)
        return sent > before
    }
}
