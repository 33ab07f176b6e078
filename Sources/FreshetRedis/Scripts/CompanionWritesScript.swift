extension EntryScripts {
    /// Changes the companion. `entry.copy` is nil to leave the stale copy as it is, false to drop it, else the new one.
    static let companionWrites = """
        -- Which of the fields are stored, and whether something else is in the companion's place. Of another program's
        -- hash only these fields tell: without them it counts as empty, and keeps what it has.
        local stored, isTaken = {copy = entry.content == 'value'}, not found and values.err ~= nil
        for i, name in ipairs(names) do
            if found then stored[name] = values[i] and true elseif values[i] then isTaken = true end
        end

        -- Makes all that was leased before worthless.
        local function move(generation)
            entry.generation = generation
            entry.leaseToken, entry.leaseUntil = nil, nil
            entry.forcedToken, entry.forcedAt, entry.cooldownUntil = nil, nil, nil
        end

        local function forgetValue()
            entry.content, entry.digest, entry.etag, entry.ttl, entry.copy = nil, nil, nil, nil, false
            entry.created, entry.freshUntil, entry.staleUntil, entry.plainUntil = nil, nil, nil, nil
        end

        local function forgetFailure()
            entry.failureCount, entry.failureCode, entry.failureMessage, entry.failureUntil = nil, nil, nil, nil
        end

        -- The load of a lease has come to nothing: its slot is for another.
        local function giveBackSlot(token)
            if entry.slotToken == token then entry.slot, entry.slotToken = nil, nil end
        end

        -- The companion lives as long as anything in it matters, and a minute at least.
        local function prolong()
            local last = now + 60000
            for _, name in ipairs({'staleUntil', 'plainUntil', 'leaseUntil', 'cooldownUntil', 'scheduleUntil'}) do
                last = math.max(last, entry[name] or 0)
            end
            if entry.failureUntil then last = math.max(last, entry.failureUntil + 60000) end
            if entry.plainUntil == 0 then
                redis.call('PERSIST', meta)
            else
                redis.call('PEXPIREAT', meta, string.format('%.0f', last))
            end
        end

        -- A server short of memory lets through what a script writes after its first write: `shrinks` begins with what
        -- it always allows, so that what ends a lease or a value is written; what is to be filled later is refused here
        -- already.
        local function save(shrinks)
            if isTaken then redis.call('DEL', meta) end
            if not entry.leaseToken then entry.leaseAt = nil end
            if not entry.failureCount then entry.failureAt = nil end
            entry.version, found, isTaken = '1', true, false
            local set, gone = {}, {}
            local function keep(name, value)
                if value then
                    set[#set + 1] = name
                    set[#set + 1] = type(value) == 'number' and string.format('%.0f', value) or value
                elseif stored[name] then
                    gone[#gone + 1] = name
                end
                stored[name] = value and true
            end
            for _, name in ipairs(names) do keep(name, entry[name]) end
            if entry.copy ~= nil then keep('copy', entry.copy) end
            if shrinks and #gone > 0 then redis.call('HDEL', meta, unpack(gone)) end
            redis.call('HSET', meta, unpack(set))
            if not shrinks and #gone > 0 then redis.call('HDEL', meta, unpack(gone)) end
            prolong()
        end

        -- What the others cannot be told of is not done: asked before the first write, of servers that can be asked, which
        -- is since Redis 7.
        local function checkChannel()
            if redis.acl_check_cmd and not redis.acl_check_cmd('PUBLISH', '\(InvalidationMessage.channel)', '') then
                error(redis.error_reply('NOPERM \(InvalidationMessage.refusal)'))
            end
        end

        local function publish(action, token)
            local mark = token and string.sub(redis.sha1hex(token), 1, 15) or '-'
            local escapes = {['\\27'] = '\\27e', ['\\r'] = '\\27r', ['\\n'] = '\\27n'}
            local name = string.gsub(key, '[\\27\\r\\n]', escapes)
            local message = entry.generation .. ' ' .. action .. ' ' .. mark .. ' ' .. name
            redis.call('PUBLISH', '\(InvalidationMessage.channel)', message)
        end
        """
}
