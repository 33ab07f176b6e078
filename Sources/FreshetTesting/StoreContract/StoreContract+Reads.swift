import Freshet
import NIOCore

extension StoreContract {
    static let reads = [
        Check("nothing is gone, and has no generation") { trial in
            let snapshot = try await trial.read(trial.key())
            try trial.expectValue(snapshot, nil)
            try trial.expectNothing(snapshot)
        },
        Check("a load is read back with its times") { trial in
            let generation = try await trial.load(trial.key(), "[1]", staleFor: StoreTrial.long, etag: "W/\"1\"")
            let snapshot = try await trial.read(trial.key())
            try trial.expectValue(snapshot, "[1]")
            try trial.expectEqual(snapshot.generation, generation, "the generation")
            try trial.expectEqual(snapshot.etag, "W/\"1\"", "the ETag")
            try trial.expect(snapshot.age >= .zero && snapshot.age < .seconds(60), "the age is \(snapshot.age)")
            try trial.expectLong(snapshot.freshFor, "freshness")
            try trial.expectLong(snapshot.staleFor, StoreTrial.long * 2, "the rest of its life")
            try trial.expectEqual(snapshot.leaseFor, nil, "a lease")
            try trial.expectEqual(snapshot.failure, nil, "a failure")
        },
        Check("other programs see a fresh value as it is, until it is stale") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]", staleFor: StoreTrial.long)
            try trial.expectEqual(try await trial.get(key), "[1]", "the plain value")
            let rest = try await trial.remaining(key, "the plain value does not expire")
            try trial.expectLong(rest, "the plain value's rest")
            try await trial.loadStale(trial.key("stale"), "[2]")
            try trial.expectEqual(try await trial.get(trial.key("stale")), nil, "the plain value of a stale one")
        },
        Check("a stale value is served until its window ends") { trial in
            try await trial.loadStale(trial.key(), "[1]", etag: "e")
            let snapshot = try await trial.read(trial.key())
            try trial.expectValue(snapshot, "[1]")
            try trial.expectEqual(snapshot.etag, "e", "the ETag")
            try trial.expectLong(snapshot.staleFor, "the rest of its life")
            try await trial.load(trial.key("short"), "[2]", freshFor: StoreTrial.short, staleFor: StoreTrial.short)
            try await trial.eventually("it is gone") { try await trial.read(trial.key("short")).content == .gone }
            try trial.expectValue(try await trial.read(trial.key("short")), nil)
        },
        Check("without a stale window a value is gone when its freshness ends") { trial in
            let generation = try await trial.load(trial.key(), "[1]", freshFor: StoreTrial.short)
            try await trial.eventually("it is gone") { try await trial.read(trial.key()).content == .gone }
            let snapshot = try await trial.read(trial.key())
            try trial.expectValue(snapshot, nil)
            try trial.expectEqual(snapshot.generation, generation, "the generation")
        },
        Check("who knows the value is spared it") { trial in
            let key = trial.key()
            let generation = try await trial.load(key, "[1]", staleFor: StoreTrial.long, etag: "e")
            let known = EntryRead.Known(generation: generation, digest: ByteBuffer(string: "[1]").sha1)
            var snapshot = try await trial.read(key, known: known)
            try trial.expectEqual(snapshot.content, .unchanged, "the content")
            try trial.expectEqual(snapshot.digest, known.digest, "the digest")
            try trial.expectEqual(snapshot.etag, "e", "the ETag")
            try trial.expectLong(snapshot.freshFor, "freshness")

            let other = EntryRead.Known(generation: Generation("other"), digest: known.digest)
            try trial.expectValue(try await trial.read(key, known: other), "[1]")
            let wrong = EntryRead.Known(generation: generation, digest: ByteBuffer(string: "[2]").sha1)
            try trial.expectValue(try await trial.read(key, known: wrong), "[1]")

            try await trial.store.invalidateEntry(key, .expire)
            snapshot = try await trial.read(key, known: known)
            try trial.expectValue(snapshot, "[1]")
            let moved = EntryRead.Known(
                generation: try trial.unwrap(snapshot.generation, "generation"),
                digest: known.digest
            )
            try trial.expectEqual(
                try await trial.read(key, known: moved).content,
                .unchanged,
                "a stale value's content"
            )
            try await trial.store.invalidateEntry(key, .remove)
            try trial.expectValue(try await trial.read(key, known: moved), nil)
        },
        Check("a value that is known is unchanged, small or large, and one written over in place is not") { trial in
            for size in [10, 500_000] {
                let key = trial.key("\(size)")
                let text = String(repeating: "7", count: size)
                let generation = try await trial.load(key, text)
                let known = EntryRead.Known(generation: generation, digest: ByteBuffer(string: text).sha1)
                try trial.expectEqual(try await trial.read(key, known: known).content, .unchanged, "the content")
                let other = String(text.dropLast() + "x")
                try await trial.set(key, other, CacheOptions(expiry: .keep))
                try trial.expectValue(try await trial.read(key, known: known), other)
            }
        },
        Check("who does without the value, small or large, is told all else") { trial in
            for size in [10, 500_000] {
                let key = trial.key("\(size)")
                let text = String(repeating: "7", count: size)
                try trial.expectEqual(try await trial.outline(key).content, .gone, "the content of nothing")
                let generation = try await trial.load(key, text, staleFor: StoreTrial.long, etag: "e")
                let fresh = try await trial.outline(key)
                try trial.expectOutline(fresh, of: text)
                try trial.expectEqual(fresh.generation, generation, "the generation")
                try trial.expectEqual(fresh.etag, "e", "the ETag")
                try trial.expectLong(fresh.freshFor, "freshness")
                let known = EntryRead.Known(generation: generation, digest: ByteBuffer(string: text).sha1)
                try trial.expectEqual(try await trial.outline(key, known: known).content, .unchanged, "the content")

                try await trial.store.invalidateEntry(key, .expire)
                let stale = try await trial.outline(key)
                try trial.expectOutline(stale, of: text)
                try trial.expect(stale.freshFor <= .zero, "it is still fresh")
                try trial.expectValue(try await trial.read(key), text)

                let foreign = trial.key("foreign-\(size)")
                try await trial.set(foreign, text)
                let adopted = try await trial.outline(foreign)
                try trial.expectOutline(adopted, of: text)
                try trial.expectEqual(try await trial.read(foreign).generation, adopted.generation, "the generation")
            }
        },
        Check("an absence is remembered as long as it is fresh") { trial in
            let key = trial.key()
            let (lease, _) = try await trial.granted(key)
            let fill = EntryFill(content: .absent, freshFor: StoreTrial.long, staleFor: StoreTrial.long)
            try await trial.expectStored(key, lease, fill, "fill")
            let snapshot = try await trial.read(key)
            try trial.expectEqual(snapshot.content, .absent, "the content")
            try trial.expectEqual(snapshot.digest, nil, "the digest")
            try trial.expectLong(snapshot.freshFor, "freshness")
            try trial.expectEqual(try await trial.get(key), nil, "the plain value")
            guard case .fresh = try await trial.lease(key) else { throw Violation(message: "not fresh", line: #line) }

            let brief = trial.key("brief")
            let (second, _) = try await trial.granted(brief)
            try await trial.fillAbsence(brief, second, freshFor: StoreTrial.short)
            try await trial.eventually("it is gone") { try await trial.read(brief).content == .gone }
        },
    ]

    static let adoptions = [
        Check("another program's value is adopted, for the field's ttl at most") { trial in
            let key = trial.key()
            try await trial.set(key, "[1]")
            let snapshot = try await trial.read(key, freshFor: .seconds(100))
            try trial.expectValue(snapshot, "[1]")
            try trial.expect(snapshot.generation != nil, "it has no generation")
            try trial.expectLong(snapshot.freshFor, .seconds(100), "freshness")
            try trial.expectEqual(snapshot.staleFor, snapshot.freshFor, "the rest of its life")
            let again = try await trial.read(key, freshFor: .seconds(100))
            try trial.expectEqual(again.generation, snapshot.generation, "the generation")
            try trial.expectEqual(try await trial.store.ttl(key), .unlimited, "the plain value's own rest")
        },
        Check("another program's value is adopted, for its own time to live at most") { trial in
            try await trial.set(trial.key(), "[1]", CacheOptions(expiry: .after(.seconds(100))))
            let snapshot = try await trial.read(trial.key(), freshFor: StoreTrial.long)
            try trial.expectLong(snapshot.freshFor, .seconds(100), "freshness")
        },
        Check("an adopted value is as old as its time to live shows, and without one as its adoption") { trial in
            let cases: [(CacheOptions.Expiry, Duration)] = [
                (.never, .zero), (.after(StoreTrial.long * 2), .zero),
                (.after(.seconds(100)), StoreTrial.long - .seconds(100)),
            ]
            for (expiry, least) in cases {
                let key = trial.key("\(expiry)")
                try await trial.set(key, "[1]", CacheOptions(expiry: expiry))
                let age = try await trial.read(key).age
                try trial.expect(age >= least && age < least + .seconds(60), "the age is \(age), not about \(least)")
            }
        },
        Check("an adopted value is adopted once: its age is not started again") { trial in
            let key = trial.key()
            try await trial.set(key, "[1]")
            _ = try await trial.read(key, freshFor: StoreTrial.short)
            try await trial.eventually("it is gone") {
                try await trial.read(key, freshFor: StoreTrial.long).content == .gone
            }
            try trial.expectEqual(try await trial.get(key), "[1]", "the plain value")
            let (lease, snapshot) = try await trial.granted(key)
            try trial.expectValue(snapshot, nil)
            let fill = EntryFill(content: .unchanged, freshFor: StoreTrial.long)
            let outcome = try await trial.store.fillEntry(key, lease, with: fill)
            try trial.expectEqual(outcome, .refused(.invalidated), "an unchanged value that the lease did not see")
            try await trial.load(key, "[2]")
            try trial.expectValue(try await trial.read(key), "[2]")
        },
        Check("a value written over an adopted one that is over is adopted") { trial in
            let key = trial.key()
            try await trial.set(key, "[1]")
            _ = try await trial.read(key, freshFor: StoreTrial.short)
            try await trial.eventually("it is gone") { try await trial.read(key).content == .gone }
            try await trial.set(key, "[2]")
            try trial.expectValue(try await trial.read(key), "[2]")
        },
        Check("an adopted value is stale after it was fresh, whoever adopted it, until it is deleted") { trial in
            for (isLeased, expiry) in [(false, nil), (true, nil), (false, StoreTrial.long)] {
                let key = trial.key("\(isLeased) \(expiry == nil)")
                try await trial.set(key, "[1]", CacheOptions(expiry: expiry.map { .after($0) } ?? .never))
                if isLeased {
                    _ = try await trial.lease(key, freshFor: StoreTrial.short, staleFor: StoreTrial.long)
                } else {
                    _ = try await trial.read(key, freshFor: StoreTrial.short, staleFor: StoreTrial.long)
                }
                try await trial.eventually("it is stale") { try await trial.read(key).freshFor <= .zero }
                let stale = try await trial.read(key)
                try trial.expectValue(stale, "[1]")
                try trial.expectLong(stale.staleFor, StoreTrial.long, "the rest of its life")
                try trial.expectEqual(try await trial.store.del([key]), 1, "deletions")
                let deleted = try await trial.read(key)
                try trial.expectValue(deleted, nil)
                try trial.expect(deleted.generation != stale.generation, "the deletion was not noticed")
            }
        },
        Check("an adopted value whose own time has come is stale, and what was loaded meanwhile takes its place") {
            trial in
            let key = trial.key()
            var adopted = EntrySnapshot(content: .gone)
            try await trial.eventually("it is adopted in time") {
                try await trial.set(key, "[1]", CacheOptions(expiry: .after(.milliseconds(50))))
                adopted = try await trial.read(key, staleFor: StoreTrial.long)
                return adopted.content != .gone
            }
            let (lease, _) = try await trial.granted(key, .renew)
            try await trial.eventually("its plain value is gone") { try await trial.get(key) == nil }
            let stale = try await trial.read(key)
            try trial.expectValue(stale, "[1]")
            try trial.expect(stale.freshFor <= .zero, "it is still fresh")
            try trial.expectEqual(stale.generation, adopted.generation, "the generation")
            try trial.expectEqual(try await trial.fill(key, lease, "[2]"), .stored(lease.generation), "the fill")
            try trial.expectValue(try await trial.read(key), "[2]")
        },
    ]
}
