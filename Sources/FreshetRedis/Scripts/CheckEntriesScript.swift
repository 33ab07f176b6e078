extension EntryScripts {
    /// Version, generation and digest of many companions, which are the keys.
    static let checkEntries = """
        local found = {}
        for i, meta in ipairs(KEYS) do
            local values = redis.pcall('HMGET', meta, 'version', 'generation', 'digest')
            found[i] = values.err and {} or values
        end
        return found
        """
}
