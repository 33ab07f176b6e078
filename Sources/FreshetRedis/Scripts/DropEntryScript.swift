extension EntryScripts {
    /// Ends a lease and removes what is stored, unless another program has written it since.
    ///
    /// Arguments: token and generation of the lease, the new generation.
    static let dropEntry = """
        if not found or entry.leaseToken ~= ARGV[1] or entry.generation ~= ARGV[2] then return 0 end
        local change = foreignChange()
        if change == 'written' then
            entry.leaseToken, entry.leaseUntil = nil, nil
            save(true)
            return 0
        end
        invalidate('remove', ARGV[3], change)
        save()
        publish('remove')
        return 1
        """
}
