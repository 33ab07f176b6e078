extension EntryScripts {
    /// Grants leave to load, or says why not: `{outcome, leased digest, snapshot}`.
    ///
    /// Arguments: purpose (`read`, `renew`, `schedule`, or a forced load's invalidation), milliseconds the lease holds,
    /// the field's ttl and its stale window, the cooldown of forced loads, the lease's token, the generation there is to
    /// be if it moves. For a schedule also the slot's start, milliseconds since the last read (or empty), after how many
    /// without one the field is idle, and how many to remember all that.
    static let leaseEntry = """
        local purpose, holdFor, cooldown = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])
        local token, generation, forcedAt = ARGV[6], ARGV[7], nil

        settle(tonumber(ARGV[3]), tonumber(ARGV[4]), generation)
        local isHeld = entry.leaseUntil ~= nil and now < entry.leaseUntil
        local isFresh = entry.content and now < entry.freshUntil and (entry.content == 'absent' or entry.plainUntil)
        -- A server that takes no writes any longer takes the holder's neither. Those who wait for a load that takes long
        -- learn that by a write of their own, of a kind that a server without memory refuses.
        local function touch()
            if now >= (entry.leaseAt or 0) + \(longLoad) then redis.call('HSET', meta, 'version', '1') end
        end

        if purpose == 'read' then
            if isFresh then return {'fresh', '', current()} end
            if isHeld then
                touch()
                return {'held', '', current()}
            end
            if entry.failureUntil and now < entry.failureUntil then return {'failing', '', current()} end
        elseif purpose == 'renew' then
            if isHeld then
                touch()
                return {'held', '', current()}
            end
        elseif purpose == 'schedule' then
            local slot, idleAfter, keepUntil = tonumber(ARGV[8]), tonumber(ARGV[10]), now + tonumber(ARGV[11])
            local read, margin = ARGV[9] ~= '' and now - tonumber(ARGV[9]) or 0, math.floor(idleAfter / 8)
            local lastRead, kept = entry.lastRead or now, entry.scheduleUntil or 0
            if read > lastRead + margin then lastRead = read end
            if kept + margin < keepUntil then kept = keepUntil end
            if lastRead ~= entry.lastRead or kept ~= entry.scheduleUntil then
                entry.lastRead, entry.scheduleUntil = lastRead, kept
                entry.generation = entry.generation or generation
                save()
            end
            local isIdle = idleAfter > 0 and now >= math.max(lastRead, read) + idleAfter
            if isIdle or slot > now then return {'notDue', '', current()} end
            if isHeld then return {'held', '', current()} end
            local hasHad = entry.slot and entry.slot >= slot and entry.slotToken ~= entry.leaseToken
            if hasHad or isFresh and entry.created >= slot then return {'notDue', '', current()} end
            if entry.failureUntil and now < entry.failureUntil then return {'failing', '', current()} end
            entry.slot, entry.slotToken = slot, token
        else
            -- A forced load that did not end in its time answers nobody.
            local isLost = entry.leaseToken == entry.forcedToken and not isHeld
            if entry.forcedAt and now < entry.forcedAt + cooldown and not isLost then
                if isHeld then touch() end
                local isAbsent = entry.content == 'absent' and entry.created >= entry.forcedAt
                return {'coolingDown', '', isAbsent and snapshot('absent') or current()}
            end
            invalidate(purpose, generation)
            publish(purpose)
            forcedAt = now
        end

        entry.generation = entry.generation or generation
        if entry.leaseToken then giveBackSlot(entry.leaseToken) end
        entry.leaseToken, entry.leaseUntil = nil, nil
        -- So that the load cannot be answered with "unchanged" for a value that its lease did not see.
        if entry.content and now >= entry.staleUntil then
            if plain then
                entry.staleUntil, entry.copy = 0, false
            else
                forgetValue()
            end
        end
        local seen = entry.copy and snapshot('value', entry.copy) or current()
        entry.leaseToken, entry.leaseAt, entry.leaseUntil = token, now, now + holdFor
        if forcedAt then entry.forcedToken, entry.forcedAt, entry.cooldownUntil = token, forcedAt, forcedAt + cooldown end
        save()
        return {'granted', plain and entry.digest or '', seen}
        """

    /// Milliseconds after which those who wait for a load find out whether its end can be written.
    static let longLoad = 1000
}
