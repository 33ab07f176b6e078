extension EntryScripts {
    /// Commits a load: `{'stored'}`, or `{'refused', reason}`.
    ///
    /// Arguments: token, generation and digest of the lease, `-` for none; content (`value`, `absent`, `unchanged`),
    /// value and its digest; milliseconds it is fresh and then stale, and of the source's own time to live, or empty;
    /// the ETag, if there is one.
    static let fillEntry = """
        local token, generation, leasedDigest = ARGV[1], ARGV[2], ARGV[3]
        local content, value, digest = ARGV[4], ARGV[5], ARGV[6]
        local freshFor, staleFor, ttl, etag = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]

        if not found then return {'refused', 'leaseLost'} end
        if entry.generation ~= generation then return {'refused', 'invalidated'} end
        if entry.leaseToken ~= token then return {'refused', 'leaseLost'} end
        entry.leaseToken, entry.leaseUntil = nil, nil

        local change = foreignChange()
        local isAsLeased = (plain and entry.digest or '-') == leasedDigest
        -- The plain value may have ended as it was bound to.
        if not plain and entry.plainUntil and entry.plainUntil > 0 and now >= entry.plainUntil then isAsLeased = true end
        if change or not isAsLeased then
            save(true)
            return {'refused', 'foreignWrite'}
        end

        if content == 'unchanged' then
            value = entry.content == 'value' and entry.staleUntil > 0
                and (plain or redis.call('HGET', meta, 'copy'))
            if not value then
                save(true)
                return {'refused', 'invalidated'}
            end
            digest, etag, ttl = entry.digest, etag or entry.etag, ttl or entry.ttl
        end

        forgetValue()
        forgetFailure()
        entry.created, entry.freshUntil = now, now + freshFor
        if content == 'absent' then
            redis.call('DEL', key)
            entry.content, entry.staleUntil = 'absent', entry.freshUntil
        else
            redis.call('SET', key, value, 'PXAT', string.format('%.0f', entry.freshUntil))
            entry.content, entry.digest, entry.etag, entry.ttl = 'value', digest, etag, ttl
            entry.plainUntil, entry.staleUntil = entry.freshUntil, entry.freshUntil + staleFor
            if staleFor > 0 then entry.copy = value end
        end
        save()
        publish('fill')
        return {'stored'}
        """
}
