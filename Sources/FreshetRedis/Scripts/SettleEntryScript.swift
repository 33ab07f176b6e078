extension EntryScripts {
    /// Adopts or drops what another program changed, and reads.
    ///
    /// Arguments: the field's ttl and its stale window in milliseconds, the generation there is to be if it moves.
    static let settleEntry = """
        settle(tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3])
        return current()
        """
}
