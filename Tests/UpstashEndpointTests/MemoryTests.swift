import FreshetTesting
import NIOHTTP1
import RESP
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Over memory")
struct MemoryTests {
    @Test("what the embedded store can do is answered as Redis answers it")
    func likeRedis() async throws {
        let commands = """
            [["PING"],["PING","x"],["ECHO","x"],["GET","k"],["SET","k","v"],["SET","k","w","NX"],["SET","k","w","XX","EX",100],
             ["SET","k","v","KEEPTTL"],["GET","k"],["SET","k","v","NX","XX"],["SET","k","v","EX",0],
             ["SET","k","v","EX","x"],["SET","k","v","EX"],["SET","k","v","EX",9999999999999999],["SET","k","v","EX",1,"PX",1],
             ["SETNX","k","v"],["SETNX","l","v"],["SETEX","k",50,"v"],["SETEX","k",-1,"v"],["PSETEX","k",50000,"v"],["STRLEN","k"],
             ["MGET","k","none","h"],["INCR","n"],["INCRBY","n",41],["DECR","n"],["DECRBY","n",2],["INCRBY","n","x"],
             ["INCRBY","n","+5"],["INCRBY","n","05"],["INCRBY","n","-0"],["INCRBY","n"," 5"],["EXPIRE","k","+5"],["SET","k","v","EX","05"],
             ["EXPIRE","k",1000,"ZZ"],
             ["INCRBY","n","9223372036854775807"],["DECRBY","n","-9223372036854775808"],["INCR","k"],
             ["EXPIRE","k",1000],["EXPIRE","none",1],["PEXPIRE","k",-1],["EXISTS","k","l","l"],["PTTL","none"],
             ["TTL","l"],["HSET","h","a","1"],["HSET","h","a","2","b","3"],["HSET","h","a"],["HGET","h","a"],["HGET","h","c"],
             ["HGETALL","h"],["HMGET","h","a","c"],["HEXISTS","h","a"],["HEXISTS","h","c"],["HLEN","h"],["HDEL","h","a","c"],
             ["HMSET","h","x","y"],["GET","h"],["INCR","h"],["HGET","l","x"],["HSET","l","a","b"],["DEL","k","l","l"],["UNLINK","h"],
             ["GET"],["GET","a","b"],["DEL"],["EXPIRE","k","x"],["hgetall","none"],
             ["SET","m","v","EX",0,"ex",1000],["SET","m","v","PX","x","PX",1000],["SET","m","v","KEEPTTL","keepttl"],
             ["SET","m","v","EX",1,"KEEPTTL"],["SET","m","v","KEEPTTL","PX",1],["SET","m","v","EX",0,"ZZ"],
             ["SET","m","v","EX","x","NX","XX"],["SET","m","v","EXAT"],["SET","m","v","EXAT",5,"EX",5],["SET","m","v","GET","PX"],
             ["EXPIRE","m",1,"a","b"],["EXPIRE","m","x","a"],["PEXPIRE","m",1,"NX","zz"],["EXPIRE","m","-9223372036854775808"],
             ["EXPIRE","none","9223372036854775"],["EXPIRE","m","-9223372036854775"],["EXISTS","m"],["SET","m","v"],
             ["SET","caf\u{e9}","1"],["SET","cafe\u{301}","2"],["MGET","caf\u{e9}","cafe\u{301}"],["DEL","caf\u{e9}"],
             ["EXISTS","cafe\u{301}"],["HSET","u","cafe\u{301}",1,"caf\u{e9}",2,"\u{C5}",3,"\u{212B}",4],["HLEN","u"],
             ["HGETALL","u"],["HMGET","u","caf\u{e9}","cafe\u{301}","\u{212B}"],["HDEL","u","\u{C5}"],["HGETALL","u"],
             ["PEXPIRE","m","-9223372036854775808"],["EXISTS","m"],["SETEX","m",9000000000,"v"],
             ["SETEX","m","9223372036854775807","v"],["PSETEX","m","9223372036854775807","v"],["PEXPIRE","m",9000000000000]]
            """
        try await Endpoint.overRedis { redis, _ in
            try await Endpoint.serving("memory://") { memory in
                let expected = try await redis.ask(.POST, "/pipeline", commands).body.split(separator: "},")
                let given = try await memory.ask(.POST, "/pipeline", commands).body.split(separator: "},")
                #expect(given.count == expected.count)
                for (given, expected) in zip(given, expected) { #expect(given == expected) }
            }
        }
    }

    @Test("times to live are kept, and end", arguments: ["EX\",100", "PX\",100000"])
    func expiry(option: String) async throws {
        try await Endpoint.serving("memory://") { endpoint in
            _ = try await endpoint.ask(.POST, "/", "[\"SET\",\"k\",\"v\",\"\(option)]")
            _ = try await endpoint.ask(.POST, "/", #"["SET","k","w","KEEPTTL"]"#)
            let left = try await endpoint.ask(.GET, "/ttl/k").body.split { !$0.isNumber }.first.flatMap { Int($0) }
            #expect((1...100).contains(left ?? 0))
            _ = try await endpoint.ask(.GET, "/pexpire/k/1")
            #expect(try await eventually { try await endpoint.ask(.GET, "/get/k").body == #"{"result":null}"# })
        }
    }

    @Test("a time is told as it was given, or refused where it is too far for that")
    func far() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            #expect(try await endpoint.ask(.GET, "/set/k/v/EX/9000000000").status == 200)
            let left = try await endpoint.ask(.GET, "/ttl/k").body.split { !$0.isNumber }.first.flatMap { Int($0) }
            #expect((8_999_999_900...9_000_000_000).contains(left ?? 0))
            for path in ["/set/k/v/EX/9000000001", "/psetex/k/9000000000001/v", "/expire/k/9000000001"] {
                #expect(try await endpoint.ask(.GET, path).error?.hasPrefix("ERR invalid expire time in ") == true)
            }
        }
    }

    @Test("what is stored stays: once the memory is used up, writes are refused in the words of Redis")
    func full() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxStoredBytes = 100_000
        let server = try await RedisServer.start(arguments: ["--maxmemory", "1"])
        try await Endpoint.serving(server.url) { [limits] redis in
            try await Endpoint.serving("memory://", limits: limits) { memory in
                _ = try await memory.ask(.POST, "/", #"["SET","lock","owner","NX"]"#)
                let value = String(repeating: "x", count: 1000)
                var count = 0
                while try await memory.ask(.POST, "/set/k\(count)", value).status == 200, count < 200 { count += 1 }
                #expect((60...80).contains(count))
                let writes = """
                    [["SET","lock","thief","NX"],["SETNX","a",1],["SETEX","a",1,1],["PSETEX","a",1,1],["INCR","n"],["DECR","n"],
                     ["INCRBY","n",1],["DECRBY","n",1],["HSET","h","a",1],["HMSET","h","a",1],["SET","a"],["HDEL","h","a"],
                     ["EXPIRE","none",1],["DEL","none"]]
                    """
                let refused = try await memory.ask(.POST, "/pipeline", writes).body
                #expect(try await redis.ask(.POST, "/pipeline", writes).body == refused)
                #expect(refused.contains("OOM command not allowed"))
                for number in 0..<count {
                    #expect(try await memory.ask(.GET, "/strlen/k\(number)").body == #"{"result":1000}"#)
                }
                #expect(try await memory.ask(.GET, "/get/lock").body == #"{"result":"owner"}"#)
                // What is deleted or has expired makes room.
                _ = try await memory.ask(.GET, "/del/k0/k1")
                #expect(try await memory.ask(.GET, "/set/k0/\(value)").status == 200)
                while try await memory.ask(.POST, "/set/k\(count)", value).status == 200, count < 200 { count += 1 }
                _ = try await memory.ask(.GET, "/pexpire/k0/1")
                _ = try await memory.ask(.GET, "/pexpire/k2/1")
                let hasRoom = try await eventually {
                    try await memory.ask(.GET, "/setnx/lock/thief").body == #"{"result":0}"#
                }
                #expect(hasRoom)
            }
        }
    }

    @Test("TTL is told to the nearest second")
    func roundedTimes() async throws {
        let backend = UpstashMemoryBackend(maxBytes: 10_000, spawner: TestSpawner())
        for (milliseconds, seconds) in [("1499", 1), ("1500", 2)] {
            let commands = [RESPCommand("SET", "k", "v", "PX", milliseconds), RESPCommand("TTL", "k")]
            #expect(try await backend.execute(commands, hasScripts: false)[1] == .integer(seconds))
        }
    }

    @Test("writes that are refused do not look through the whole store each")
    func sweeps() async throws {
        let spawner = TestSpawner()
        let backend = UpstashMemoryBackend(maxBytes: 10_000, spawner: spawner)
        func set(_ arguments: String...) async throws -> RESPValue {
            try await backend.execute([RESPCommand("SET", arguments: arguments)], hasScripts: false)[0]
        }
        #expect(try await set("large", String(repeating: "x", count: 20_000), "PX", "500") == .simpleString("OK"))
        #expect(try await set("k", "v").error?.code == .outOfMemory)
        await spawner.advance(by: .milliseconds(600))
        #expect(try await set("k", "v").error?.code == .outOfMemory)
        await spawner.advance(by: .milliseconds(400))
        #expect(try await set("k", "v") == .simpleString("OK"))
    }

    @Test("a command may have more than 100,000 arguments")
    func manyArguments() async throws {
        let backend = UpstashMemoryBackend(maxBytes: 10_000)
        let keys = Array(repeating: "k", count: 100_001)
        let commands = [RESPCommand("SET", "k", "v"), RESPCommand("EXISTS", arguments: keys)]
        #expect(try await backend.execute(commands, hasScripts: false)[1] == .integer(keys.count))
    }

    @Test("values are binary-safe, and pipelines, base64 and tokens work")
    func service() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            #expect(try await endpoint.ask(.GET, "/set/k/v", headers: readOnly).status == 400)
            _ = try await endpoint.ask(.POST, "/set/k", "\u{0}\u{1}")
            #expect(try await endpoint.ask(.GET, "/get/k", headers: base64).body == #"{"result":"AAE="}"#)
        }
    }

    @Test("the rest is an error that says what to do")
    func rest() async throws {
        try await Endpoint.serving("memory://") { endpoint in
            let advice = "; run the endpoint with --store redis://… for all commands"
            let list = try await endpoint.ask(.GET, "/lpush/l/1")
            #expect(list.status == 400)
            #expect(list.error == "ERR memory:// has no LPUSH" + advice)
            let transaction = try await endpoint.ask(.POST, "/multi-exec", #"[["PING"]]"#)
            #expect(transaction.error == "ERR memory:// has no transactions" + advice)
            #expect(try await endpoint.ask(.POST, "/subscribe/c").error == "ERR memory:// has no SUBSCRIBE" + advice)
            for (path, option) in [("/expire/k/5/nx", "NX of EXPIRE"), ("/pexpire/k/5/GT", "GT of PEXPIRE")] {
                #expect(try await endpoint.ask(.GET, path).error == "ERR memory:// has no option \(option)")
            }
            for (path, option) in [("/set/k/v/GET", "GET"), ("/set/k/v/pxat/5", "PXAT")] {
                #expect(try await endpoint.ask(.GET, path).error == "ERR memory:// has no option \(option) of SET")
            }
        }
    }
}
