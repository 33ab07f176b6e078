import Freshet
import NIOCore

extension StoreContract {
    static let strings = [
        Check("ping answers") { try await $0.store.ping() },
        Check("what is set is got") { trial in
            try await trial.set(trial.key(), "value")
            try trial.expectEqual(try await trial.get(trial.key()), "value", "the value")
            try await trial.set(trial.key(), "other")
            try trial.expectEqual(try await trial.get(trial.key()), "other", "the value set over it")
            try trial.expectEqual(try await trial.get(trial.key("missing")), nil, "a missing key's value")
        },
        Check("values may be empty, binary and large") { trial in
            let values = [
                ByteBuffer(), ByteBuffer(bytes: 0...255), ByteBuffer(string: "\r\n$-1\r\n"),
                ByteBuffer(repeating: 0xC3, count: 1 << 20),
            ]
            for value in values {
                _ = try await trial.store.set(trial.key(), value, options: CacheOptions())
                try trial.expect(
                    try await trial.store.get(trial.key()) == value,
                    "\(value.readableBytes) bytes changed"
                )
            }
        },
        Check("mget answers in order, with nil for what is missing or no string") { trial in
            let keys = ["a", "missing", "hash", "b", "a"].map { trial.key($0) }
            try await trial.set(keys[0], "1")
            try await trial.set(keys[3], "2")
            _ = try await trial.store.hset(keys[2], ["field": ByteBuffer(string: "x")])
            let values = try await trial.store.mget(keys).map { $0.map { String(buffer: $0) } }
            try trial.expectEqual(values, ["1", nil, nil, "2", "1"], "the values")
            try trial.expectEqual(try await trial.store.mget([]), [], "the values of no keys")
        },
        Check("del and exists count") { trial in
            let keys = ["a", "b", "missing"].map { trial.key($0) }
            try await trial.set(keys[0], "1")
            _ = try await trial.store.hset(keys[1], ["field": ByteBuffer(string: "x")])
            try trial.expectEqual(try await trial.store.exists(keys + [keys[0]]), 3, "the count of existing keys")
            try trial.expectEqual(try await trial.store.del(keys + [keys[0]]), 2, "the count of deleted keys")
            try trial.expectEqual(try await trial.store.exists(keys), 0, "what still exists")
            try trial.expectEqual(try await trial.store.del([]), 0, "the count of no keys")
            try trial.expectEqual(try await trial.store.exists([]), 0, "the count of no keys")
        },
    ]

    static let conditions = [
        Check("nx stores only what is missing") { trial in
            let options = CacheOptions(condition: .ifMissing)
            let first = try await trial.store.set(trial.key(), ByteBuffer(string: "1"), options: options)
            let second = try await trial.store.set(trial.key(), ByteBuffer(string: "2"), options: options)
            try trial.expectEqual([first, second], [true, false], "what was stored")
            try trial.expectEqual(try await trial.get(trial.key()), "1", "the value")
        },
        Check("xx stores only over what is there") { trial in
            let options = CacheOptions(condition: .ifPresent)
            let first = try await trial.store.set(trial.key(), ByteBuffer(string: "1"), options: options)
            try trial.expectEqual(try await trial.store.exists([trial.key()]), 0, "the refused key")
            try await trial.set(trial.key(), "0")
            let second = try await trial.store.set(trial.key(), ByteBuffer(string: "2"), options: options)
            try trial.expectEqual([first, second], [false, true], "what was stored")
            try trial.expectEqual(try await trial.get(trial.key()), "2", "the value")
        },
        Check("of many nx one wins") { trial in
            let key = trial.key()
            let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        let options = CacheOptions(expiry: .after(StoreTrial.long), condition: .ifMissing)
                        return try await trial.store.set(key, ByteBuffer(string: "\(number)"), options: options)
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            try trial.expectEqual(wins, 1, "the number of winners")
        },
    ]

    static let counters = [
        Check("incr counts from nothing, both ways") { trial in
            try trial.expectEqual(try await trial.store.incr(trial.key(), by: 5), 5, "the sum")
            try trial.expectEqual(try await trial.store.incr(trial.key(), by: -7), -2, "the sum")
            try trial.expectEqual(try await trial.get(trial.key()), "-2", "the text")
        },
        Check("incr keeps the expiry") { trial in
            try await trial.set(trial.key(), "1", CacheOptions(expiry: .after(StoreTrial.long)))
            _ = try await trial.store.incr(trial.key(), by: 1)
            let rest = try await trial.remaining(trial.key(), "the expiry is lost")
            try trial.expectLong(rest, "the rest of its life")
        },
        Check("incr refuses what is no 64-bit integer, and overflow") { trial in
            for text in ["abc", "", " 1", "1.5", "+1", "01", "9223372036854775808"] {
                try await trial.set(trial.key(), text)
                try await trial.expectError(.storeRejected, "adding to '\(text)'") {
                    try await trial.store.incr(trial.key(), by: 1)
                }
                try trial.expectEqual(try await trial.get(trial.key()), text, "the text")
            }
            try await trial.set(trial.key(), "9223372036854775807")
            try await trial.expectError(.storeRejected, "an overflow") {
                try await trial.store.incr(trial.key(), by: 1)
            }
            try trial.expectEqual(try await trial.store.incr(trial.key(), by: 0), .max, "the greatest number")
            try await trial.set(trial.key(), "-9223372036854775808")
            try await trial.expectError(.storeRejected, "an overflow") {
                try await trial.store.incr(trial.key(), by: -1)
            }
        },
        Check("concurrent incr lose nothing") { trial in
            let key = trial.key()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<100 { group.addTask { _ = try await trial.store.incr(key, by: 1) } }
                try await group.waitForAll()
            }
            try trial.expectEqual(try await trial.get(key), "100", "the sum")
        },
    ]
}
