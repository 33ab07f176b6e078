import RESP

/// The scripts of ``SharedPace``, for one kind of server.
///
/// Key: the pace's, which holds `turn` or `closed`, and for how many milliseconds. Its time to live is when the next turn
/// comes, or the closure ends, so that no clock is read; where it is longer than it was given, a clock was set back, and it
/// counts as nothing, as does whatever else another program has put there, but for what is no string.
struct PaceScripts: Sendable {
    let turn: RedisScript
    let close: RedisScript

    // One script object a source: it remembers the digest the server knows it by.
    static func of(_ dialect: RedisStore.Dialect) -> PaceScripts {
        switch dialect {
        case .redis: redis
        case .upstash: upstash
        }
    }

    private static let redis = PaceScripts(.redis)
    private static let upstash = PaceScripts(.upstash)

    private init(_ dialect: RedisStore.Dialect) {
        let preamble = EntryScripts.preamble(of: dialect)
        turn = RedisScript(preamble + [Self.rest, Self.takeTurn].joined(separator: "\n"))
        close = RedisScript(preamble + [Self.rest, Self.closePace].joined(separator: "\n"))
    }

    /// How far ahead turns are given, in milliseconds: who would wait longer may not want his by then.
    private static let horizon = 30_000

    private static let rest = """
        local held, rest, time = redis.pcall('GET', KEYS[1]), 0, tonumber(ARGV[1])
        if type(held) == 'table' then return held end
        local state, given = string.match(held or '', '^(%a+) (%d+)$')
        if state == 'turn' or state == 'closed' then rest = redis.call('PTTL', KEYS[1]) end
        if rest < 0 or rest > (tonumber(given) or 0) then rest = 0 end

        local function keep(state, time)
            local text = string.format('%.0f', time)
            redis.call('SET', KEYS[1], state .. ' ' .. text, 'PX', text)
        end
        """

    /// Argument: from this turn to the next one, in milliseconds. The answer is what there is, and how long from now.
    private static let takeTurn = """
        if state == 'closed' and rest > 0 then return {'closed', rest} end
        if rest > \(horizon) then return {'full', rest - \(horizon)} end
        keep('turn', rest + time)
        return {'turn', rest}
        """

    /// Argument: for how long, in milliseconds.
    private static let closePace = """
        keep('closed', math.max(rest, time))
        return 1
        """
}
