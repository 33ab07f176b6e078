extension RESPCommand {
    /// Whether running the command twice is the same as running it once, because it changes nothing.
    ///
    /// Such a command is sent again after a connection was lost with it, may be answered by a replica where those are
    /// read, and keeps no order with others of its kind. Names that are not known count as writing. Set it where you know
    /// better, as for a script that only reads.
    public var isReadOnly: Bool {
        get { declaredReadOnly ?? Self.readOnlyHashes.contains(name.commandHash) }
        set { declaredReadOnly = newValue }
    }

    /// Whether a replica may answer it. A cursor means something only to the server that gave it.
    package var isForReplicas: Bool { isReadOnly && !Self.scanHashes.contains(name.commandHash) }

    private static let readOnlyHashes = Set(readOnlyNames.map(\.commandHash))
    private static let scanHashes = Set(["HSCAN", "SSCAN", "ZSCAN"].map(\.commandHash))

    package static let readOnlyNames: Set<String> = [
        "BITCOUNT", "BITFIELD_RO", "BITPOS", "DBSIZE", "DUMP", "ECHO", "EVALSHA_RO", "EVAL_RO", "EXISTS", "EXPIRETIME",
        "FCALL_RO", "GEODIST", "GEOHASH", "GEOPOS", "GEORADIUSBYMEMBER_RO", "GEORADIUS_RO", "GEOSEARCH", "GET",
        "GETBIT", "GETRANGE", "HEXISTS", "HEXPIRETIME", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HPEXPIRETIME",
        "HPTTL", "HRANDFIELD", "HSCAN", "HSTRLEN", "HTTL", "HVALS", "INFO", "JSON.ARRINDEX", "JSON.ARRLEN", "JSON.GET",
        "JSON.MGET", "JSON.OBJKEYS", "JSON.OBJLEN", "JSON.RESP", "JSON.STRLEN", "JSON.TYPE", "KEYS", "LCS", "LINDEX",
        "LLEN", "LPOS", "LRANGE", "MGET", "PEXPIRETIME", "PFCOUNT", "PING", "PTTL", "RANDOMKEY", "ROLE", "SCAN",
        "SCARD", "SDIFF", "SINTER", "SINTERCARD", "SISMEMBER", "SMEMBERS", "SMISMEMBER", "SORT_RO", "SRANDMEMBER",
        "SSCAN", "STRLEN", "SUBSTR", "SUNION", "TIME", "TTL", "TYPE", "VCARD", "VDIM", "VEMB", "VGETATTR", "VINFO",
        "VISMEMBER", "VLINKS", "VRANDMEMBER", "VRANGE", "VSIM", "XLEN", "XPENDING", "XRANGE", "XREVRANGE", "ZCARD",
        "ZCOUNT", "ZDIFF", "ZINTER", "ZINTERCARD", "ZLEXCOUNT", "ZMSCORE", "ZRANDMEMBER", "ZRANGE",
        "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZRANK", "ZREVRANGE", "ZREVRANGEBYLEX", "ZREVRANGEBYSCORE", "ZREVRANK", "ZSCAN",
        "ZSCORE", "ZUNION",
    ]
}
