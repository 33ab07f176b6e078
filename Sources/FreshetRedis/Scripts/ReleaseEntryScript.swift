extension EntryScripts {
    /// Ends a lease without a result, and the cooldown if the lease was the forced load's.
    ///
    /// Argument: token of the lease.
    static let releaseEntry = """
        if not found or entry.leaseToken ~= ARGV[1] then return 0 end
        if entry.forcedToken == entry.leaseToken then
            entry.forcedToken, entry.forcedAt, entry.cooldownUntil = nil, nil, nil
        end
        entry.leaseToken, entry.leaseUntil = nil, nil
        giveBackSlot(ARGV[1])
        save(true)
        return 1
        """
}
