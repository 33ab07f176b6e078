import Freshet
import NIOCore

extension StoreContract {
    static let expiries = [
        Check("a value with a time to live goes") { trial in
            try await trial.set(trial.key(), "1", CacheOptions(expiry: .after(StoreTrial.short)))
            try await trial.eventually("the value is gone") { try await trial.get(trial.key()) == nil }
            try trial.expectEqual(try await trial.store.exists([trial.key()]), 0, "what exists")
            try trial.expectEqual(try await trial.store.ttl(trial.key()), .missing, "the time to live")
            try trial.expectEqual(try await trial.store.del([trial.key()]), 0, "what was deleted")
        },
        Check("less than a millisecond is a millisecond") { trial in
            try await trial.set(trial.key(), "1", CacheOptions(expiry: .after(.nanoseconds(1))))
            try await trial.eventually("the value is gone") { try await trial.get(trial.key()) == nil }
        },
        Check("ttl tells missing, unlimited and the rest") { trial in
            try trial.expectEqual(try await trial.store.ttl(trial.key()), .missing, "a missing key's")
            try await trial.set(trial.key(), "1")
            try trial.expectEqual(try await trial.store.ttl(trial.key()), .unlimited, "an unlimited key's")
            try await trial.set(trial.key(), "1", CacheOptions(expiry: .after(StoreTrial.long)))
            let rest = try await trial.remaining(trial.key(), "there is no rest")
            try trial.expectLong(rest, "the rest")
        },
        Check("set without expiry ends the old one, with keep it stays") { trial in
            try await trial.set(trial.key(), "1", CacheOptions(expiry: .after(StoreTrial.long)))
            try await trial.set(trial.key(), "2", CacheOptions(expiry: .keep))
            _ = try await trial.remaining(trial.key(), "the expiry was not kept")
            try trial.expectEqual(try await trial.get(trial.key()), "2", "the value")
            try await trial.set(trial.key(), "3")
            try trial.expectEqual(try await trial.store.ttl(trial.key()), .unlimited, "the time to live")
            try await trial.set(trial.key("new"), "4", CacheOptions(expiry: .keep))
            try trial.expectEqual(try await trial.store.ttl(trial.key("new")), .unlimited, "a new key's")
        },
        Check("expire sets, shortens and deletes") { trial in
            try trial.expectEqual(try await trial.store.expire(trial.key(), after: .seconds(1)), false, "of nothing")
            try await trial.set(trial.key(), "1")
            try trial.expectEqual(try await trial.store.expire(trial.key(), after: StoreTrial.long), true, "of a key")
            let rest = try await trial.remaining(trial.key(), "there is no rest")
            try trial.expectLong(rest, "the rest")
            _ = try await trial.store.expire(trial.key(), after: StoreTrial.short)
            try await trial.eventually("the value is gone") { try await trial.get(trial.key()) == nil }
            for time in [Duration.zero, .seconds(-1)] {
                try await trial.set(trial.key(), "1")
                try trial.expectEqual(try await trial.store.expire(trial.key(), after: time), true, "after \(time)")
                try trial.expectEqual(try await trial.get(trial.key()), nil, "the value")
                try trial.expectEqual(try await trial.store.expire(trial.key(), after: time), false, "of nothing")
            }
        },
    ]

    static let hashes = [
        Check("hset counts what is new, hget finds it") { trial in
            let (one, two) = (ByteBuffer(string: "1"), ByteBuffer(bytes: [0, 255]))
            try trial.expectEqual(try await trial.store.hset(trial.key(), ["a": one, "b": one]), 2, "new fields")
            try trial.expectEqual(try await trial.store.hset(trial.key(), ["b": two, "ñ c": two]), 1, "new fields")
            try trial.expectEqual(try await trial.store.hget(trial.key(), "b"), two, "a field")
            try trial.expectEqual(try await trial.store.hget(trial.key(), "z"), nil, "a missing field")
            try trial.expectEqual(try await trial.store.hget(trial.key("no"), "z"), nil, "a missing key's field")
            let all = try await trial.store.hgetall(trial.key())
            try trial.expectEqual(all, ["a": one, "b": two, "ñ c": two], "all fields")
            try trial.expectEqual(try await trial.store.hgetall(trial.key("no")), [:], "a missing key's fields")
            try trial.expectEqual(try await trial.store.hset(trial.key("no"), [:]), 0, "of none")
            try trial.expectEqual(try await trial.store.exists([trial.key("no")]), 0, "a hash of none")
        },
        Check("hdel counts, and the key goes with its last field") { trial in
            let one = ByteBuffer(string: "1")
            _ = try await trial.store.hset(trial.key(), ["a": one, "b": one])
            try trial.expectEqual(try await trial.store.hdel(trial.key(), ["a", "a", "z"]), 1, "deleted fields")
            try trial.expectEqual(try await trial.store.exists([trial.key()]), 1, "the key")
            try trial.expectEqual(try await trial.store.hdel(trial.key(), []), 0, "of none")
            try trial.expectEqual(try await trial.store.hdel(trial.key(), ["b"]), 1, "deleted fields")
            try trial.expectEqual(try await trial.store.exists([trial.key()]), 0, "the key")
            try trial.expectEqual(try await trial.store.hdel(trial.key(), ["b"]), 0, "of nothing")
        },
        Check("hset keeps the expiry") { trial in
            _ = try await trial.store.hset(trial.key(), ["a": ByteBuffer(string: "1")])
            _ = try await trial.store.expire(trial.key(), after: StoreTrial.long)
            _ = try await trial.store.hset(trial.key(), ["b": ByteBuffer(string: "1")])
            _ = try await trial.remaining(trial.key(), "the expiry is lost")
        },
        Check("a command for another type is rejected and changes nothing") { trial in
            let (string, hash) = (trial.key("string"), trial.key("hash"))
            let one = ByteBuffer(string: "1")
            try await trial.set(string, "1")
            _ = try await trial.store.hset(hash, ["a": one])
            let store = trial.store
            try await trial.expectError(.storeRejected, "get of a hash") { try await store.get(hash) }
            try await trial.expectError(.storeRejected, "incr of a hash") { try await store.incr(hash, by: 1) }
            try await trial.expectError(.storeRejected, "hget of a string") { try await store.hget(string, "a") }
            try await trial.expectError(.storeRejected, "hset of a string") { try await store.hset(string, ["a": one]) }
            try await trial.expectError(.storeRejected, "hgetall of a string") { try await store.hgetall(string) }
            try await trial.expectError(.storeRejected, "hdel of a string") { try await store.hdel(string, ["a"]) }
            try trial.expectEqual(try await store.hset(string, [:]), 0, "hset of nothing on a string")
            try trial.expectEqual(try await store.hdel(string, []), 0, "hdel of nothing from a string")
            try trial.expectEqual(try await trial.get(string), "1", "the string")
            try trial.expectEqual(try await store.hgetall(hash), ["a": one], "the hash")
            try await trial.set(hash, "2")
            try trial.expectEqual(try await trial.get(hash), "2", "a string set over a hash")
        },
    ]
}
