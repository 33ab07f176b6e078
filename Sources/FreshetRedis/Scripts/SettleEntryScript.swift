extension EntryScripts {
    /// Adopts or drops what another program changed, and reads.
    ///
    /// Arguments: the field's ttl and its stale window in milliseconds, the generation there is to be if it moves; a
    /// fourth where the length of the value will do.
    static let settleEntry = """
        settle(tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3])
        local reply = current()
        if ARGV[4] and reply[2] then reply[2] = #reply[2] end
        return reply
        """
}
