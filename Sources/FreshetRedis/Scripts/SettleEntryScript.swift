extension EntryScripts {
    /// Adopts or drops what another program changed, and reads.
    ///
    /// Arguments: the field's ttl in milliseconds, the generation there is to be if it moves.
    static let settleEntry = """
        settle(tonumber(ARGV[1]), ARGV[2])
        return current()
        """
}
