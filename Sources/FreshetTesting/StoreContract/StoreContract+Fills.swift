import Freshet
import NIOCore

extension StoreContract {
    static let fills = [
        Check("a fill keeps the generation and replaces everything else") { trial in
            let key = trial.key()
            let generation = try await trial.load(key, "[1]", staleFor: StoreTrial.long, etag: "one")
            let (lease, _) = try await trial.granted(key, .renew)
            try trial.expectEqual(lease.generation, generation, "the generation")
            _ = try await trial.fill(key, lease, "[2]")
            let snapshot = try await trial.read(key)
            try trial.expectValue(snapshot, "[2]")
            try trial.expectEqual(snapshot.etag, nil, "the ETag")
            try trial.expectEqual(snapshot.staleFor, snapshot.freshFor, "the stale window")
        },
        Check("a lease fills once") { trial in
            let (lease, _) = try await trial.granted(trial.key())
            _ = try await trial.fill(trial.key(), lease, "[1]")
            try trial.expectEqual(
                try await trial.fill(trial.key(), lease, "[2]"),
                .refused(.leaseLost),
                "the second fill"
            )
            try trial.expectValue(try await trial.read(trial.key()), "[1]")
        },
        Check("unchanged gives a fresh value a new life, and keeps its ETag unless there is a new one") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]", freshFor: .seconds(100), etag: "one")
            for (etag, expected) in [(nil, "one"), ("two", "two")] as [(String?, String)] {
                let (lease, _) = try await trial.granted(key, .renew)
                let fill = EntryFill(
                    content: .unchanged,
                    freshFor: StoreTrial.long,
                    staleFor: StoreTrial.long,
                    etag: etag
                )
                try await trial.expectStored(key, lease, fill, "fill")
                let snapshot = try await trial.read(key)
                try trial.expectValue(snapshot, "[1]")
                try trial.expectEqual(snapshot.etag, expected, "the ETag")
                try trial.expectLong(snapshot.freshFor, "freshness")
                try trial.expectLong(snapshot.staleFor, StoreTrial.long * 2, "the rest of its life")
                try trial.expect(snapshot.age < .seconds(60), "the age is \(snapshot.age)")
            }
            let rest = try await trial.remaining(key, "the plain value does not expire")
            try trial.expectLong(rest, "the plain value's rest")
            try await trial.store.invalidateEntry(key, .expire)
            try trial.expectValue(try await trial.read(key), "[1]")
        },
        Check("the source's own ttl stays with the value until a fill brings another one") { trial in
            let key = trial.key()
            let bytes = ByteBuffer(string: "[1]")
            let value = EntryFill.Content.value(bytes, digest: bytes.sha1)
            let long = StoreTrial.long
            let fills: [(EntryFill, Duration?)] = [
                (EntryFill(content: value, freshFor: long, staleFor: long, ttl: .seconds(7)), .seconds(7)),
                (EntryFill(content: .unchanged, freshFor: long, staleFor: long), .seconds(7)),
                (EntryFill(content: .unchanged, freshFor: long, staleFor: long, ttl: .seconds(1 << 60)), nil),
                (EntryFill(content: .unchanged, freshFor: long, staleFor: long, ttl: .seconds(9)), .seconds(9)),
                (EntryFill(content: value, freshFor: long, staleFor: long), nil),
            ]
            for (fill, ttl) in fills {
                let (lease, _) = try await trial.granted(key, .renew)
                try await trial.expectStored(key, lease, fill, "fill")
                let told = try await trial.read(key).ttl
                if fill.ttl == .seconds(1 << 60) {
                    try trial.expect(told ?? .zero > .seconds(1 << 32), "the longest ttl is \(told ?? .zero)")
                } else {
                    try trial.expectEqual(told, ttl, "the ttl")
                }
                try trial.expectEqual(try await trial.read(key).generation, lease.generation, "the generation")
            }
        },
        Check("unchanged makes a stale value fresh, for other programs too") { trial in
            let key = trial.key()
            try await trial.loadStale(key, "[1]", etag: "one")
            let (lease, _) = try await trial.granted(key)
            let fill = EntryFill(content: .unchanged, freshFor: StoreTrial.long)
            try await trial.expectStored(key, lease, fill, "fill")
            let snapshot = try await trial.read(key)
            try trial.expectValue(snapshot, "[1]")
            try trial.expectLong(snapshot.freshFor, "freshness")
            try trial.expectEqual(snapshot.etag, "one", "the ETag")
            try trial.expectEqual(try await trial.get(key), "[1]", "the plain value")
        },
        Check("unchanged is refused where there was nothing or an absence, and ends the lease") { trial in
            let fill = EntryFill(content: .unchanged, freshFor: StoreTrial.long)
            let nothing = trial.key("nothing")
            let (lease, _) = try await trial.granted(nothing)
            let outcome = try await trial.store.fillEntry(nothing, lease, with: fill)
            try trial.expectEqual(outcome, .refused(.invalidated), "an unchanged nothing")
            _ = try await trial.granted(nothing)

            let absence = trial.key("absence")
            let (first, _) = try await trial.granted(absence)
            try await trial.fillAbsence(absence, first)
            let (second, _) = try await trial.granted(absence, .renew)
            let refused = try await trial.store.fillEntry(absence, second, with: fill)
            try trial.expectEqual(refused, .refused(.invalidated), "an unchanged absence")
        },
        Check("an absence takes the value's place, and a value the absence's") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]", staleFor: StoreTrial.long, etag: "e")
            let (lease, _) = try await trial.granted(key, .renew)
            try await trial.fillAbsence(key, lease)
            try trial.expectEqual(try await trial.read(key).content, .absent, "the content")
            try trial.expectEqual(try await trial.read(key).etag, nil, "the ETag")
            try trial.expectEqual(try await trial.get(key), nil, "the plain value")
            let (second, snapshot) = try await trial.granted(key, .renew)
            try trial.expectEqual(snapshot.content, .absent, "what the lease saw")
            _ = try await trial.fill(key, second, "[2]")
            try trial.expectValue(try await trial.read(key), "[2]")
        },
        Check("what a fill took on its way counts to the age of what it brings") { trial in
            let key = trial.key()
            let bytes = ByteBuffer(string: "[1]")
            let contents: [EntryFill.Content] = [.value(bytes, digest: bytes.sha1), .unchanged, .absent]
            for content in contents {
                let (lease, _) = try await trial.granted(key, .renew)
                try await trial.passTime(.milliseconds(30))
                let fill = EntryFill(
                    content: content,
                    freshFor: StoreTrial.long,
                    staleFor: StoreTrial.long,
                    loadedAfter: .milliseconds(5)
                )
                try await trial.expectStored(key, lease, fill, "fill")
                let snapshot = try await trial.read(key)
                try trial.expect(snapshot.age >= .milliseconds(24), "the age is \(snapshot.age)")
                try trial.expectLong(snapshot.freshFor, "freshness")
                try trial.expect(snapshot.freshFor <= StoreTrial.long - snapshot.age, "it is fresh for too long")
                guard content != .absent else { continue }
                try trial.expectLong(snapshot.staleFor, StoreTrial.long * 2, "the rest of its life")
            }
            let (lease, _) = try await trial.granted(key, .renew)
            let fill = EntryFill(content: .absent, freshFor: StoreTrial.long, loadedAfter: StoreTrial.long)
            _ = try await trial.store.fillEntry(key, lease, with: fill)
            let age = try await trial.read(key).age
            try trial.expect(age >= .zero && age < .seconds(60), "the age of what is loaded in the future is \(age)")
        },
        Check("what a fill brings so late that it is stale is kept as that, and gone without a stale window") { trial in
            let bytes = ByteBuffer(string: "[1]")
            for staleFor in [StoreTrial.long, .zero] {
                let key = trial.key("late-\(staleFor)")
                let (lease, _) = try await trial.granted(key)
                try await trial.passTime(.milliseconds(30))
                let fill = EntryFill(
                    content: .value(bytes, digest: bytes.sha1),
                    freshFor: .milliseconds(10),
                    staleFor: staleFor,
                    loadedAfter: .zero
                )
                try await trial.expectStored(key, lease, fill, "fill")
                try trial.expectEqual(try await trial.get(key), nil, "the plain value")
                let snapshot = try await trial.read(key)
                try trial.expectValue(snapshot, staleFor == .zero ? nil : "[1]")
                try trial.expect(snapshot.freshFor <= .zero, "it is fresh for \(snapshot.freshFor)")
                try trial.expectEqual(snapshot.generation, lease.generation, "the generation")
                let (next, _) = try await trial.granted(key)
                try trial.expectEqual(
                    try await trial.fill(key, next, "[2]"),
                    .stored(lease.generation),
                    "the next fill"
                )
            }
        },
        Check("a value may run out while it is loaded again") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]", freshFor: .milliseconds(30))
            guard case .granted(let lease, _) = try await trial.lease(key, .renew) else {
                throw Violation(message: "the lease was not granted", line: #line)
            }
            try await trial.eventually("it has run out") { try await trial.get(key) == nil }
            try await trial.passTime(.milliseconds(1))
            try trial.expectEqual(try await trial.fill(key, lease, "[2]"), .stored(lease.generation), "the fill")
        },
    ]

    static let foreignWrites = [
        Check("a foreign write during a load refuses its fill, noticed or not") { trial in
            for isNoticed in [false, true] {
                let key = trial.key("\(isNoticed)")
                let (lease, _) = try await trial.granted(key)
                try await trial.set(key, "[9]")
                if isNoticed { try trial.expectValue(try await trial.read(key), "[9]") }
                let reason: FillOutcome.RefusalReason = isNoticed ? .invalidated : .foreignWrite
                try trial.expectEqual(try await trial.fill(key, lease, "[1]"), .refused(reason), "the fill")
                let snapshot = try await trial.read(key)
                try trial.expectValue(snapshot, "[9]")
                try trial.expectEqual(snapshot.leaseFor, nil, "the lease")
                try trial.expect(snapshot.generation != lease.generation, "the generation did not move")
            }
        },
        Check("a foreign write over a fresh value during a load refuses its fill, whatever its expiry") { trial in
            for expiry in [CacheOptions.Expiry.never, .keep, .after(.seconds(100))] {
                let key = trial.key("\(expiry)")
                try await trial.load(key, "[1]", staleFor: StoreTrial.long)
                let (lease, _) = try await trial.granted(key, .renew)
                try await trial.set(key, "[9]", CacheOptions(expiry: expiry))
                try trial.expectEqual(try await trial.fill(key, lease, "[2]"), .refused(.foreignWrite), "the fill")
                try trial.expectValue(try await trial.read(key), "[9]")
            }
        },
        Check("a foreign write takes the place of a value, fresh or stale, and of an absence") { trial in
            let fresh = trial.key("fresh")
            let generation = try await trial.load(fresh, "[1]", staleFor: StoreTrial.long, etag: "e")
            try await trial.set(fresh, "[9]")
            let snapshot = try await trial.read(fresh, freshFor: .seconds(100))
            try trial.expectValue(snapshot, "[9]")
            try trial.expectLong(snapshot.freshFor, .seconds(100), "freshness")
            try trial.expectEqual(snapshot.etag, nil, "the ETag")
            try trial.expect(snapshot.generation != generation, "the generation did not move")

            let stale = trial.key("stale")
            try await trial.loadStale(stale, "[1]")
            try await trial.set(stale, "[9]")
            try trial.expectValue(try await trial.read(stale), "[9]")

            let absent = trial.key("absent")
            let (lease, _) = try await trial.granted(absent)
            try await trial.fillAbsence(absent, lease)
            try await trial.set(absent, "[9]")
            try trial.expectValue(try await trial.read(absent), "[9]")
        },
        Check("the same bytes written by another program after the end are fresh") { trial in
            let key = trial.key()
            try await trial.loadStale(key, "[1]")
            try await trial.eventually("the margin of the clocks is over") {
                try await trial.set(key, "[1]", CacheOptions(expiry: .after(StoreTrial.long)))
                return try await trial.read(key).freshFor > .zero
            }
            try trial.expectValue(try await trial.read(key), "[1]")
        },
        Check("a foreign delete of a fresh value takes all, and refuses the fill") { trial in
            let key = trial.key()
            let generation = try await trial.load(key, "[1]", staleFor: StoreTrial.long)
            let (lease, _) = try await trial.granted(key, .renew)
            _ = try await trial.store.del([key])
            try trial.expectEqual(try await trial.fill(key, lease, "[2]"), .refused(.foreignWrite), "the fill")
            let snapshot = try await trial.read(key)
            try trial.expectValue(snapshot, nil)
            try trial.expect(snapshot.generation != generation, "the generation did not move")

            let noticed = trial.key("noticed")
            try await trial.load(noticed, "[1]", staleFor: StoreTrial.long)
            let (second, _) = try await trial.granted(noticed, .renew)
            _ = try await trial.store.del([noticed])
            try trial.expectValue(try await trial.read(noticed), nil)
            try trial.expectEqual(try await trial.fill(noticed, second, "[2]"), .refused(.invalidated), "the fill")
            _ = try await trial.granted(noticed)
        },
        Check("a foreign write and delete during a load of nothing leaves it as it was") { trial in
            let (lease, _) = try await trial.granted(trial.key())
            try await trial.set(trial.key(), "[9]")
            _ = try await trial.store.del([trial.key()])
            try await trial.expectStored(trial.key(), lease, "[1]", "the fill")
        },
        Check("a foreign write after a load is what is read, and after the fill too") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]")
            _ = try await trial.store.incr(trial.key("other"), by: 1)
            try await trial.set(key, "7")
            _ = try await trial.store.incr(key, by: 1)
            try trial.expectValue(try await trial.read(key), "8")
        },
    ]
}
