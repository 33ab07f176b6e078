extension EntryScripts {
    /// Commits a load: `{'stored'}`, or `{'refused', reason}`.
    ///
    /// Arguments: token, generation and digest of the lease, `-` for none; content (`value`, `absent`, `unchanged`),
    /// value and its digest; milliseconds it is fresh and then stale, of the source's own time to live, and from the lease
    /// to the end of the load, the last two `-` for none; the ETag, if there is one.
    ///
    /// - Parameter isTracked: whether to read the value once more after the last write, so that the server goes on
    ///   tracking it for this connection.
    static func fillEntry(isTracked: Bool) -> String {
        """
        local token, generation, leasedDigest = ARGV[1], ARGV[2], ARGV[3]
        local content, value, digest = ARGV[4], ARGV[5], ARGV[6]
        local freshFor, staleFor, ttl, etag = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[11]

        if not found then return {'refused', 'leaseLost'} end
        if entry.generation ~= generation then return {'refused', 'invalidated'} end
        if entry.leaseToken ~= token then return {'refused', 'leaseLost'} end
        local created, loadedAfter = now, tonumber(ARGV[10])
        if loadedAfter and entry.leaseAt then created = math.min(now, entry.leaseAt + loadedAfter) end
        entry.leaseToken, entry.leaseUntil = nil, nil

        local change = foreignChange()
        local isAsLeased = (plain and entry.digest or '-') == leasedDigest
        -- The plain value may have ended as it was bound to.
        if not plain and entry.plainUntil and not isDue() then isAsLeased = true end
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

        checkChannel()
        forgetValue()
        forgetFailure()
        entry.created, entry.freshUntil = created, created + freshFor
        if content == 'absent' then
            redis.call('DEL', key)
            entry.content, entry.staleUntil = 'absent', entry.freshUntil
        else
            if entry.freshUntil > now then
                redis.call('SET', key, value, 'PXAT', string.format('%.0f', entry.freshUntil))
                entry.plainUntil = entry.freshUntil
            end
            entry.content, entry.digest, entry.etag, entry.ttl = 'value', digest, etag, ttl
            entry.staleUntil = entry.freshUntil + staleFor
            if staleFor > 0 then entry.copy = value end
        end
        save()
        -- So late that the value is stale. Not first, or a server short of memory would let the rest through.
        if content ~= 'absent' and not entry.plainUntil then redis.call('DEL', key) end
        \(isTracked ? "redis.call('EXISTS', key)" : "")
        publish('fill', token)
        return {'stored'}
        """
    }
}
