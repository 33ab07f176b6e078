extension EntryScripts {
    /// Ends a lease and remembers why its load failed.
    ///
    /// Arguments: token and generation of the lease; count, code and message of the failure; milliseconds until the
    /// source may be asked again.
    static let failEntry = """
        if not found or entry.leaseToken ~= ARGV[1] or entry.generation ~= ARGV[2] then return 0 end
        entry.leaseToken, entry.leaseUntil = nil, nil
        giveBackSlot(ARGV[1])
        entry.failureCount, entry.failureCode, entry.failureMessage = ARGV[3], ARGV[4], ARGV[5]
        entry.failureAt, entry.failureUntil = now, now + tonumber(ARGV[6])
        save(true)
        return 1
        """
}
