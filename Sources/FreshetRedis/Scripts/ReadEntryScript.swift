extension EntryScripts {
    /// Looks at the plain value before ``readEntry``. Copying it into the script costs Redis more than two small commands.
    static let plainLength = """
        local plain, length = nil, redis.pcall('STRLEN', key)
        if type(length) == 'table' then return length end
        local exists, isHashed = length > 0 or redis.call('EXISTS', key) == 1, length <= \(hashLimit)
        """

    /// The same where commands and bytes are counted, not the server's time.
    static let plainBytes = """
        local plain, isHashed = redis.pcall('GET', key), true
        if type(plain) == 'table' then return plain end
        local exists, length = plain ~= false, plain and #plain
        """

    /// Reads, and writes nothing.
    ///
    /// Arguments: generation and digest that the reader holds, or empty; a third where the length of the value will do.
    ///
    /// The answer's kind `plain` leaves it to the reader to check the plain value against the digest, and to get it
    /// where ``plainLength`` came before: hashing it here, or merely handing it through Lua, costs the server far more
    /// than GET. Where something must be written first, or cannot be told without hashing, the answer is `settle`.
    static let readEntry = """
        if not exists and isDue() then return {'settle'} end
        if exists then
            if not entry.plainUntil then return {'settle'} end
            if entry.plainUntil > 0 and now > entry.plainUntil + \(clockMargin) then return {'settle'} end
            if now >= entry.staleUntil then return {'settle'} end
        end
        if not entry.content or now >= entry.staleUntil then return snapshot('gone') end
        if entry.content == 'absent' then return snapshot('absent') end

        local isHeld = ARGV[1] == entry.generation and ARGV[2] == entry.digest
        local isBrief = ARGV[3] ~= nil
        if not exists then
            if isHeld then return snapshot('unchanged') end
            local copy = redis.call('HGET', meta, 'copy')
            return snapshot(copy and 'value' or 'gone', copy and isBrief and #copy or copy)
        end
        if (isHeld or isBrief) and isHashed and redis.sha1hex(plain or redis.call('GET', key)) ~= entry.digest then
            return {'settle'}
        end
        if isHeld and (isHashed or isBrief) then return snapshot('unchanged') end
        if isBrief then return snapshot('value', length) end
        return snapshot('plain', plain)
        """

    /// The longest value, in bytes, that is hashed on the server to spare the reader its bytes: about 0.1 ms.
    static let hashLimit = 32 * 1024
}
