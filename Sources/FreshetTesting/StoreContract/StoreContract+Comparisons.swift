import Freshet
import NIOCore

extension StoreContract {
    static let comparisons = [
        Check("many keys are compared at once, in their order") { trial in
            let keys = (0..<5).map { trial.key("many-\($0)") }
            let first = try await trial.load(keys[1], "[1]")
            try await trial.loadStale(keys[3], "[3]")
            let second = try trial.unwrap(try await trial.read(keys[3]).generation, "generation")
            let found = try await trial.store.checkEntries(keys + [keys[1]])
            let one = EntryRead.Known(generation: first, digest: ByteBuffer(string: "[1]").sha1)
            let three = EntryRead.Known(generation: second, digest: ByteBuffer(string: "[3]").sha1)
            try trial.expectEqual(found, [nil, one, nil, three, nil, one], "what is known of the keys")
            try trial.expectEqual(try await trial.store.checkEntries([]), [], "what is known of no keys")
        },
        Check("a comparison tells an invalidation and another value from what is held") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]", staleFor: StoreTrial.long)
            let before = try await trial.store.checkEntries([key])[0]
            try await trial.store.invalidateEntry(key, .expire)
            let expired = try trial.unwrap(try await trial.store.checkEntries([key])[0], "stale value")
            try trial.expect(expired.generation != before?.generation, "an expiry does not show")
            try trial.expectEqual(expired.digest, before?.digest, "the digest of what is stale")
            try await trial.load(key, "[2]")
            let filled = try trial.unwrap(try await trial.store.checkEntries([key])[0], "value")
            try trial.expectEqual(filled.generation, expired.generation, "the generation after a fill")
            try trial.expect(filled.digest != expired.digest, "another value does not show")
            try await trial.store.invalidateEntry(key, .remove)
            try trial.expectEqual(try await trial.store.checkEntries([key]), [nil], "what is known of what was removed")
        },
        Check("a comparison changes nothing, and sees no plain values") { trial in
            let key = trial.key()
            try await trial.set(key, "[9]")
            try trial.expectEqual(try await trial.store.checkEntries([key]), [nil], "what is known of a foreign value")
            let generation = try await trial.read(key).generation
            try await trial.set(key, "[8]")
            let found = try await trial.store.checkEntries([key])[0]
            try trial.expectEqual(found?.generation, generation, "the generation")
            try trial.expectEqual(found?.digest, ByteBuffer(string: "[9]").sha1, "the digest last seen")
            try trial.expect(try await trial.read(key).generation != generation, "the foreign value was adopted before")
        },
        Check("an absence and a lease are nothing to compare with") { trial in
            let (lease, _) = try await trial.granted(trial.key())
            try trial.expectEqual(try await trial.store.checkEntries([trial.key()]), [nil], "what is known of a lease")
            try await trial.fillAbsence(trial.key(), lease)
            try trial.expectEqual(
                try await trial.store.checkEntries([trial.key()]),
                [nil],
                "what is known of an absence"
            )
            try await trial.expectError(.invalidArgument, "a comparison of a key without a companion") {
                try await trial.store.checkEntries(["{"])
            }
        },
    ]
}
