extension EntryScripts {
    /// Reads the clock and the companion.
    ///
    /// The companion's fields; times are milliseconds since 1970 by this server's clock:
    ///
    /// | field | |
    /// |---|---|
    /// | `version` | of this format |
    /// | `generation` | moves with every invalidation |
    /// | `content` | `value`, `absent`, or missing where nothing is known |
    /// | `digest`, `etag`, `ttl` | SHA-1 of the value, the source's validator and its own time to live, if it gave one |
    /// | `created`, `freshUntil`, `staleUntil` | `staleUntil` is 0 once a lease has found the value gone |
    /// | `plainUntil` | when the plain key ends that holds the value; 0 for never, missing where it should hold none |
    /// | `copy` | what is served when the plain key has ended |
    /// | `leaseToken`, `leaseAt`, `leaseUntil` | up to its last `/` the token names the holder |
    /// | `forcedToken`, `forcedAt`, `cooldownUntil` | the lease and the start of the last forced load |
    /// | `failureCount`, `failureCode`, `failureMessage`, `failureAt`, `failureUntil` | |
    /// | `slot`, `slotToken` | start of the schedule's last slot that has had its load, or is having it, and that load's lease |
    /// | `lastRead`, `scheduleUntil` | the last read, about; how long these four are remembered |
    static let companion = """
        local key, meta = KEYS[1], KEYS[2]
        local time = redis.call('TIME')
        local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

        local names = {
            'version', 'generation', 'content', 'digest', 'etag', 'ttl', 'created', 'freshUntil', 'staleUntil', 'plainUntil',
            'leaseToken', 'leaseAt', 'leaseUntil', 'forcedToken', 'forcedAt', 'cooldownUntil',
            'failureCount', 'failureCode', 'failureMessage', 'failureAt', 'failureUntil',
            'slot', 'slotToken', 'lastRead', 'scheduleUntil'
        }
        local numbers = {
            ttl = true, created = true, freshUntil = true, staleUntil = true, plainUntil = true, leaseUntil = true,
            leaseAt = true, forcedAt = true, cooldownUntil = true,
            failureCount = true, failureAt = true, failureUntil = true,
            slot = true, lastRead = true, scheduleUntil = true
        }
        -- What comes together or not at all.
        local groups = {
            {'content', 'created', 'freshUntil', 'staleUntil'}, {'leaseToken', 'leaseUntil'},
            {'forcedToken', 'forcedAt', 'cooldownUntil'},
            {'failureCount', 'failureCode', 'failureMessage', 'failureUntil'},
            {'slot', 'slotToken'}, {'lastRead', 'scheduleUntil'}
        }

        -- The companion, or nil for none, one of another format, and garbage.
        local values = redis.pcall('HMGET', meta, unpack(names))
        local function load()
            if values.err or values[1] ~= '1' or not values[2] then return nil end
            local entry = {}
            for i, name in ipairs(names) do
                local value = values[i]
                if value and numbers[name] then
                    if #value > 15 or not string.find(value, '^%d+$') then return nil end
                    value = tonumber(value)
                end
                if value then entry[name] = value end
            end
            for _, group in ipairs(groups) do
                for _, name in ipairs(group) do
                    if (entry[name] == nil) ~= (entry[group[1]] == nil) then return nil end
                end
            end
            local content = entry.content
            if content and content ~= 'value' and content ~= 'absent' then return nil end
            if (content == 'value') ~= (entry.digest ~= nil) then return nil end
            if entry.plainUntil and content ~= 'value' then return nil end
            return entry
        end

        local entry = load()
        local found = entry ~= nil
        entry = entry or {}

        -- Where the clock has been set back by more than a moment, the end of what began before says nothing.
        local function isAhead(time) return time ~= nil and time > now + 1000 end
        local isSetBack = isAhead(entry.created)
        if isSetBack then
            local staleFor = math.max(0, entry.staleUntil - entry.freshUntil)
            entry.created, entry.freshUntil = now, math.min(entry.freshUntil, now)
            entry.staleUntil = math.min(entry.staleUntil, now + staleFor)
        end
        if isAhead(entry.lastRead) then entry.lastRead = now end
        if isAhead(entry.leaseAt) then entry.leaseToken, entry.leaseUntil = nil, nil end
        if isAhead(entry.forcedAt) then entry.forcedToken, entry.forcedAt, entry.cooldownUntil = nil, nil, nil end
        if entry.failureUntil and isAhead(entry.failureAt) then entry.failureUntil = math.min(entry.failureUntil, now) end
        if isAhead(entry.slot) then entry.slot, entry.slotToken = nil, nil end

        -- Whether the plain key is to hold the value: if it does not, another program has deleted it. An adopted value may
        -- be there longer than it is fresh; when it ends is known but for the margin.
        local function isDue()
            if not entry.plainUntil then return false end
            if now < entry.freshUntil then return true end
            return entry.plainUntil == 0 or not isSetBack and now < entry.plainUntil - \(clockMargin)
        end

        -- What the store knows at this moment. `value` is handed out if there is anything to hand out.
        local function snapshot(kind, value)
            local reply = {
                kind, value or false, entry.generation or false, false, false, 0, 0, 0, false, false, false, false, false,
                entry.lastRead and now - entry.lastRead or false, now, false, false,
                entry.forcedAt and math.max(0, now - entry.forcedAt) or false
            }
            if kind ~= 'gone' then
                reply[4], reply[5], reply[16] = entry.digest or false, entry.etag or false, entry.ttl or false
                reply[6], reply[7], reply[8] = math.max(0, now - entry.created), entry.freshUntil - now, entry.staleUntil - now
            end
            if entry.leaseUntil and now < entry.leaseUntil then
                reply[9] = entry.leaseUntil - now
                reply[17] = string.match(entry.leaseToken, '^(.*)/') or false
            end
            if entry.failureCount then
                reply[10], reply[11], reply[12] = entry.failureCount, entry.failureCode, entry.failureMessage
                reply[13] = entry.failureUntil - now
            end
            return reply
        end
        """
}
