import Freshet

extension StoreContract {
    static let invalidations = [
        Check("expire makes a value stale until its end, stale window or not") { trial in
            for window in [Duration.zero, StoreTrial.long] {
                let key = trial.key("\(window)")
                let generation = try await trial.load(key, "[1]", staleFor: window, etag: "e")
                try await trial.store.invalidateEntry(key, .expire)
                let snapshot = try await trial.read(key)
                try trial.expectValue(snapshot, "[1]")
                try trial.expect(snapshot.freshFor <= .zero, "the value is still fresh")
                try trial.expectLong(snapshot.staleFor, StoreTrial.long + window, "the rest of its life")
                try trial.expectEqual(snapshot.etag, "e", "the ETag")
                try trial.expect(snapshot.generation != generation, "the generation did not move")
                try trial.expectEqual(try await trial.get(key), nil, "the plain value")
                _ = try await trial.granted(key)
            }
        },
        Check("expire does not lengthen what is stale") { trial in
            let key = trial.key()
            try await trial.loadStale(key, "[1]")
            let before = try await trial.read(key)
            try await trial.store.invalidateEntry(key, .expire)
            let after = try await trial.read(key)
            try trial.expectValue(after, "[1]")
            try trial.expect(after.staleFor <= before.staleFor, "its life was lengthened")
            try trial.expect(after.age >= before.age, "its age was shortened")
            try trial.expect(after.freshFor <= before.freshFor, "its freshness was lengthened")
        },
        Check("expire twice is expire") { trial in
            try await trial.load(trial.key(), "[1]")
            try await trial.store.invalidateEntry(trial.key(), .expire)
            try await trial.store.invalidateEntry(trial.key(), .expire)
            try trial.expectValue(try await trial.read(trial.key()), "[1]")
        },
        Check("an adopted value is expired like a loaded one") { trial in
            try await trial.set(trial.key(), "[1]")
            _ = try await trial.read(trial.key())
            try await trial.store.invalidateEntry(trial.key(), .expire)
            let snapshot = try await trial.read(trial.key())
            try trial.expectValue(snapshot, "[1]")
            try trial.expect(snapshot.freshFor <= .zero, "the value is still fresh")
        },
        Check("expire drops an absence, and what nobody has adopted") { trial in
            let absent = trial.key("absent")
            let (lease, _) = try await trial.granted(absent)
            try await trial.fillAbsence(absent, lease)
            try await trial.store.invalidateEntry(absent, .expire)
            try trial.expectValue(try await trial.read(absent), nil)

            let foreign = trial.key("foreign")
            try await trial.load(foreign, "[1]", staleFor: StoreTrial.long)
            try await trial.set(foreign, "[9]")
            try await trial.store.invalidateEntry(foreign, .expire)
            try trial.expectValue(try await trial.read(foreign), nil)
            try trial.expectEqual(try await trial.get(foreign), nil, "the plain value")

            let deleted = trial.key("deleted")
            try await trial.load(deleted, "[1]", staleFor: StoreTrial.long)
            _ = try await trial.store.del([deleted])
            try await trial.store.invalidateEntry(deleted, .expire)
            try trial.expectValue(try await trial.read(deleted), nil)
        },
        Check("remove leaves nothing but the generation") { trial in
            let key = trial.key()
            let generation = try await trial.load(key, "[1]", staleFor: StoreTrial.long, etag: "e")
            try await trial.store.invalidateEntry(key, .remove)
            let snapshot = try await trial.read(key)
            try trial.expectValue(snapshot, nil)
            let tombstone = try trial.unwrap(snapshot.generation, "tombstone")
            try trial.expect(tombstone != generation, "the generation did not move")
            try trial.expectEqual(try await trial.get(key), nil, "the plain value")
            let (lease, _) = try await trial.granted(key)
            try trial.expectEqual(lease.generation, tombstone, "the leased generation")
        },
        Check("an invalidation of nothing leaves a tombstone") { trial in
            for invalidation in [Invalidation.expire, .remove] {
                let key = trial.key("\(invalidation)")
                try await trial.store.invalidateEntry(key, invalidation)
                let snapshot = try await trial.read(key)
                try trial.expectValue(snapshot, nil)
                try trial.expect(snapshot.generation != nil, "there is no generation")
            }
        },
        Check("no load survives an invalidation, whatever there was") { trial in
            for invalidation in [Invalidation.expire, .remove] {
                for hasValue in [false, true] {
                    let key = trial.key("\(invalidation)-\(hasValue)")
                    if hasValue { try await trial.load(key, "[1]", staleFor: StoreTrial.long) }
                    let (lease, _) = try await trial.granted(key, .renew)
                    try await trial.store.invalidateEntry(key, invalidation)
                    let next = try await trial.granted(key).0
                    try trial.expectEqual(try await trial.fill(key, lease, "[2]"), .refused(.invalidated), "the fill")
                    try await trial.fail(key, lease)
                    try trial.expectEqual(try await trial.read(key).failure, nil, "the failure of the old load")
                    try await trial.expectStored(key, next, "[3]", "the next fill")
                }
            }
        },
        Check("a drop removes what there was when its lease was granted, and ends that") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]", staleFor: StoreTrial.long)
            let (lease, _) = try await trial.granted(key, .force(.expire, cooldown: StoreTrial.long))
            try trial.expect(try await trial.store.dropEntry(key, lease), "nothing was dropped")
            let snapshot = try await trial.read(key)
            try trial.expectValue(snapshot, nil)
            try trial.expectEqual(snapshot.leaseFor, nil, "the lease")
            try trial.expect(snapshot.generation != lease.generation, "the generation did not move")
            try trial.expect(try await !trial.store.dropEntry(key, lease), "it was dropped twice")
            _ = try await trial.granted(key, .force(.expire, cooldown: StoreTrial.long))
        },
        Check("a drop leaves what is newer than its lease: a load's value, and what another program wrote") { trial in
            for invalidation in [Invalidation.expire, .remove] {
                let key = trial.key("\(invalidation)")
                let (lease, _) = try await trial.granted(key)
                try await trial.store.invalidateEntry(key, invalidation)
                let generation = try await trial.load(key, "[2]")
                try trial.expect(try await !trial.store.dropEntry(key, lease), "a newer value was dropped")
                let snapshot = try await trial.read(key)
                try trial.expectValue(snapshot, "[2]")
                try trial.expectEqual(snapshot.generation, generation, "the generation")
            }
            let late = trial.key("late")
            let (lost, _) = try await trial.granted(late, holdFor: StoreTrial.short)
            let next = try await trial.grantedInTime(late)
            try trial.expect(try await !trial.store.dropEntry(late, lost), "a lost lease dropped")
            try await trial.expectStored(late, next, "[3]", "the fill of the next lease")

            let foreign = trial.key("foreign")
            try await trial.load(foreign, "[1]")
            let (lease, _) = try await trial.granted(foreign, .renew)
            try await trial.set(foreign, "[9]")
            try trial.expect(try await !trial.store.dropEntry(foreign, lease), "another program's value was dropped")
            try trial.expectEqual(try await trial.get(foreign), "[9]", "the plain value")
            try trial.expectEqual(try await trial.read(foreign).leaseFor, nil, "the lease")
        },
        Check("generations never come back") { trial in
            var seen: Set<Generation> = []
            for round in 0..<20 {
                try await trial.store.invalidateEntry(trial.key(), round.isMultiple(of: 2) ? .expire : .remove)
                let generation = try await trial.read(trial.key()).generation
                try trial.expect(
                    seen.insert(try trial.unwrap(generation, "generation")).inserted,
                    "a generation came back"
                )
            }
        },
    ]

    static let failures = [
        Check("a failure is remembered and forbids loads until it is time") { trial in
            let key = trial.key()
            let (lease, _) = try await trial.granted(key)
            let failure = EntryFailure(
                count: 3,
                code: "sourceFailed",
                message: "503 – «no» ñ",
                retryAfter: StoreTrial.long
            )
            try await trial.store.failEntry(key, lease, with: failure)
            let snapshot = try await trial.read(key)
            try trial.expectEqual(snapshot.leaseFor, nil, "the lease")
            let remembered = try trial.unwrap(snapshot.failure, "failure")
            try trial.expectEqual(remembered.count, 3, "the count")
            try trial.expectEqual(remembered.code, "sourceFailed", "the code")
            try trial.expectEqual(remembered.message, "503 – «no» ñ", "the message")
            try trial.expectLong(remembered.retryAfter, "the pause")
            guard case .failing(let seen) = try await trial.lease(key) else {
                throw Violation(message: "a lease was not forbidden", line: #line)
            }
            try trial.expectEqual(seen.failure?.count, 3, "the count")
            _ = try await trial.granted(key, .renew)
        },
        Check("after its time a failure is still counted, and the next doubles it") { trial in
            let key = trial.key()
            var count = 0
            for expected in [1, 2, 3] {
                var lease: Lease?
                try await trial.eventually("the failure's time is over") {
                    guard case .granted(let granted, let snapshot) = try await trial.lease(key) else { return false }
                    count = (snapshot.failure?.count ?? 0) + 1
                    try trial.expect(snapshot.failure?.retryAfter ?? .zero <= .zero, "its time is not over")
                    lease = granted
                    return true
                }
                try trial.expectEqual(count, expected, "the count")
                let failure = EntryFailure(count: count, code: "c", message: "", retryAfter: StoreTrial.short * count)
                try await trial.store.failEntry(key, try trial.unwrap(lease, "lease"), with: failure)
            }
        },
        Check("a failure leaves the stale value, and a fill forgets the failure") { trial in
            let key = trial.key()
            try await trial.loadStale(key, "[1]")
            let (lease, _) = try await trial.granted(key)
            try await trial.fail(key, lease)
            let snapshot = try await trial.read(key)
            try trial.expectValue(snapshot, "[1]")
            try trial.expectEqual(snapshot.failure?.count, 1, "the failure")
            let (forced, _) = try await trial.granted(key, .force(.expire, cooldown: .zero))
            _ = try await trial.fill(key, forced, "[2]")
            try trial.expectEqual(try await trial.read(key).failure, nil, "the failure after a fill")
        },
        Check("expire keeps a failure, remove forgets it") { trial in
            let key = trial.key()
            let (lease, _) = try await trial.granted(key)
            try await trial.fail(key, lease)
            try await trial.store.invalidateEntry(key, .expire)
            try trial.expectEqual(try await trial.read(key).failure?.count, 1, "the failure after expire")
            try await trial.store.invalidateEntry(key, .remove)
            try trial.expectEqual(try await trial.read(key).failure, nil, "the failure after remove")
            _ = try await trial.granted(key)
        },
    ]
}
