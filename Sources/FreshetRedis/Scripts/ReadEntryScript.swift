extension EntryScripts {
    /// Reads, and writes nothing.
    ///
    /// Arguments: generation and digest that the reader holds (or empty), whether the plain value is to be part of the
    /// answer.
    ///
    /// The answer's kind `plain` leaves it to the reader to check the plain value against the digest: hashing it here,
    /// or merely handing it through Lua, costs the server far more than GET. Where something must be written first, or
    /// cannot be told without hashing, the answer is `settle`.
    static let readEntry = """
        local kind = redis.call('TYPE', key)
        if type(kind) == 'table' then kind = kind.ok end
        if kind ~= 'string' and kind ~= 'none' then
            return redis.error_reply('WRONGTYPE Operation against a key holding the wrong kind of value')
        end
        local exists = kind == 'string'

        if not exists and entry.plainUntil and now < entry.freshUntil then return {'settle'} end
        if exists then
            if not entry.plainUntil then return {'settle'} end
            if entry.plainUntil > 0 and now > entry.plainUntil + \(clockMargin) then return {'settle'} end
            if now >= entry.staleUntil then return {'settle'} end
        end
        if not entry.content or now >= entry.staleUntil then return snapshot('gone') end
        if entry.content == 'absent' then return snapshot('absent') end

        local isHeld = ARGV[1] == entry.generation and ARGV[2] == entry.digest
        if not exists then
            if isHeld then return snapshot('unchanged') end
            local copy = redis.call('HGET', meta, 'copy')
            return snapshot(copy and 'value' or 'gone', copy)
        end
        if isHeld and redis.call('STRLEN', key) <= \(hashLimit) then
            if redis.sha1hex(redis.call('GET', key)) ~= entry.digest then return {'settle'} end
            return snapshot('unchanged')
        end
        return snapshot('plain', ARGV[3] == '1' and redis.call('GET', key))
        """

    /// The longest value, in bytes, that is hashed on the server to spare the reader its bytes: about 0.1 ms.
    static let hashLimit = 32 * 1024
}
