extension EntryScripts {
    /// Reads the plain value and finds out what other programs did to it. Ends the script, before anything is written,
    /// if it is no string.
    static let plainValue = """
        local plain = redis.pcall('GET', key)
        if type(plain) == 'table' then return plain end

        -- What another program did to the plain value since the companion last knew it: 'written', 'deleted' or nil.
        local function foreignChange()
            if not entry.plainUntil then return plain and 'written' or nil end
            if not plain then return isDue() and 'deleted' or nil end
            -- Ours would have ended by now: somebody else wrote this. Expiry goes by the time at which the script
            -- began, hence the margin.
            if entry.plainUntil > 0 and now > entry.plainUntil + \(clockMargin) then return 'written' end
            if redis.sha1hex(plain) ~= entry.digest then return 'written' end
            return nil
        end

        -- Adopts what another program wrote, and drops what another program deleted.
        local function settle(freshFor, staleFor, generation)
            local change = foreignChange()
            if not change then return end
            checkChannel()
            move(generation)
            forgetValue()
            if change == 'written' then
                local rest = redis.call('PTTL', key)
                entry.content, entry.digest = 'value', redis.sha1hex(plain)
                -- As old as its rest shows if it was written for the field's ttl.
                local age = rest < 0 and 0 or math.max(0, freshFor - rest)
                entry.created = math.max(0, now - age)
                entry.plainUntil = rest < 0 and 0 or now + rest
                -- Early: the plain key must not be missed while the value is fresh.
                if rest >= 0 then freshFor = math.max(0, math.min(freshFor, rest - \(clockMargin))) end
                entry.freshUntil = now + freshFor
                entry.staleUntil = entry.freshUntil + staleFor
                -- One that ends later is there as long as it is served, or another program has deleted it.
                local endsEarly = entry.plainUntil > 0 and entry.plainUntil < entry.staleUntil + \(clockMargin)
                if staleFor > 0 and endsEarly then entry.copy = plain end
            end
            save()
            publish(change == 'written' and 'fill' or 'remove')
        end

        local function current()
            if not entry.content or now >= entry.staleUntil then return snapshot('gone') end
            if entry.content == 'absent' then return snapshot('absent') end
            local value = plain or redis.call('HGET', meta, 'copy')
            return snapshot(value and 'value' or 'gone', value)
        end

        local function invalidate(action, generation, change)
            checkChannel()
            -- First, because a server short of memory allows it, and with it the rest.
            redis.call('DEL', key)
            local copy
            if action == 'expire' and not change and entry.content == 'value' and now < entry.staleUntil then
                copy = plain or redis.call('HGET', meta, 'copy')
            end
            if copy then
                entry.copy = copy
                entry.freshUntil = math.min(entry.freshUntil, now)
                entry.plainUntil = nil
            else
                forgetValue()
            end
            if action == 'remove' then forgetFailure() end
            plain = false
            move(generation)
        end
        """

    /// Milliseconds by which the clock of a script may be ahead of that of its server's expiry.
    static let clockMargin = 10
}
