import Freshet
import NIOCore

extension StoreContract {
    static let leases = [
        Check("one lease at a time") { trial in
            let key = trial.key()
            let (lease, snapshot) = try await trial.granted(key)
            try trial.expectEqual(snapshot.leaseFor, nil, "another load's lease")
            try trial.expectEqual(snapshot.generation, lease.generation, "the generation")
            try trial.expectEqual(lease.digest, "", "the digest of nothing")
            for purpose in [LeaseRequest.Purpose.read, .renew] {
                guard case .held(let seen) = try await trial.lease(key, purpose) else {
                    throw Violation(message: "it was not held", line: #line)
                }
                try trial.expectLong(seen.leaseFor, "the lease's rest")
            }
            try trial.expectLong(try await trial.read(key).leaseFor, "the lease's rest, as readers see it")
            try trial.expectEqual(try await trial.fill(key, lease, "[1]"), .stored(lease.generation), "the fill")
            try trial.expectEqual(try await trial.read(key).leaseFor, nil, "the lease after the fill")
        },
        Check("who has a lease is told by its token's name, and nothing else of the token") { trial in
            let key = trial.key()
            for (token, holder) in [("a/b:1/5ec3e7", "a/b:1"), ("5ec3e7", nil), ("/5ec3e7", "")] as [(String, String?)]
            {
                let request = LeaseRequest(
                    purpose: .force(.expire, cooldown: .zero),
                    holdFor: StoreTrial.long,
                    freshFor: StoreTrial.long,
                    token: token
                )
                guard case .granted(_, let mine) = try await trial.store.leaseEntry(key, request),
                    case .held(let theirs) = try await trial.lease(key)
                else { throw Violation(message: "it was not granted, or not held then", line: #line) }
                try trial.expectEqual(mine.leaseHolder, nil, "the holder before")
                try trial.expectEqual(theirs.leaseHolder, holder, "the holder")
                try trial.expect(!"\(theirs)".contains("5ec3e7"), "the token is told")
            }
            try await trial.store.releaseEntry(key, token: "/5ec3e7")
            try trial.expectEqual(try await trial.read(key).leaseHolder, nil, "the holder of a lease given up")
        },
        Check("what is fresh is not leased, but renewed") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]")
            guard case .fresh(let snapshot) = try await trial.lease(key) else {
                throw Violation(message: "it was not fresh", line: #line)
            }
            try trial.expectValue(snapshot, "[1]")
            let (lease, seen) = try await trial.granted(key, .renew)
            try trial.expectValue(seen, "[1]")
            try trial.expectEqual(lease.digest, ByteBuffer(string: "[1]").sha1, "the leased digest")
            try trial.expectEqual(try await trial.fill(key, lease, "[2]"), .stored(lease.generation), "the fill")
            try trial.expectValue(try await trial.read(key), "[2]")
        },
        Check("what is stale is leased with the stale value") { trial in
            try await trial.loadStale(trial.key(), "[1]", etag: "e")
            let (lease, snapshot) = try await trial.granted(trial.key())
            try trial.expectValue(snapshot, "[1]")
            try trial.expectEqual(snapshot.etag, "e", "the ETag")
            try trial.expectEqual(lease.digest, "", "the digest of the plain value")
        },
        Check("another program's value is adopted by a lease, which then is not needed") { trial in
            try await trial.set(trial.key(), "[1]")
            guard case .fresh(let snapshot) = try await trial.lease(trial.key(), freshFor: .seconds(100)) else {
                throw Violation(message: "it was not fresh", line: #line)
            }
            try trial.expectValue(snapshot, "[1]")
            try trial.expectLong(snapshot.freshFor, .seconds(100), "freshness")
        },
        Check("a lease ends with its time, and its load is then too late") { trial in
            let key = trial.key()
            let (lost, _) = try await trial.granted(key, holdFor: StoreTrial.short)
            let lease = try await trial.grantedInTime(key)
            try trial.expect(lease.token != lost.token, "the tokens are the same")
            try trial.expectEqual(try await trial.fill(key, lost, "[1]"), .refused(.leaseLost), "the late fill")
            let isNoted = try await trial.fail(key, lost)
            try trial.expect(!isNoted, "the late failure was noted")
            try await trial.store.releaseEntry(key, token: lost.token)
            let snapshot = try await trial.read(key)
            try trial.expectEqual(snapshot.failure, nil, "the late failure")
            try trial.expect(snapshot.leaseFor != nil, "the late release ended the other's lease")
            try await trial.expectStored(key, lease, "[2]", "the second's fill")
        },
        Check("a lease whose time is over fills if nobody took it") { trial in
            let key = trial.key()
            let (lease, _) = try await trial.granted(key, holdFor: StoreTrial.short)
            try await trial.eventually("the lease has ended") { try await trial.read(key).leaseFor == nil }
            try trial.expectEqual(try await trial.fill(key, lease, "[1]"), .stored(lease.generation), "the fill")
        },
        Check("a released lease is free") { trial in
            let (lease, _) = try await trial.granted(trial.key())
            try await trial.store.releaseEntry(trial.key(), token: lease.token)
            try trial.expectEqual(try await trial.read(trial.key()).leaseFor, nil, "the lease")
            _ = try await trial.granted(trial.key())
            try trial.expectEqual(try await trial.fill(trial.key(), lease, "[1]"), .refused(.leaseLost), "its fill")
        },
        Check("a lease that was never granted is worth nothing") { trial in
            let forged = Lease(token: "t", generation: Generation("g"), digest: "")
            let key = trial.key()
            try trial.expectEqual(try await trial.fill(key, forged, "[1]"), .refused(.leaseLost), "a fill of nothing")
            try await trial.store.releaseEntry(key, token: forged.token)
            try await trial.fail(key, forged)
            try trial.expectNothing(try await trial.read(key))
            let (lease, _) = try await trial.granted(key)
            try trial.expectEqual(try await trial.fill(key, forged, "[1]"), .refused(.invalidated), "a forged fill")
            let similar = Lease(token: "t", generation: lease.generation, digest: "")
            try trial.expectEqual(try await trial.fill(key, similar, "[1]"), .refused(.leaseLost), "a forged fill")
            let wrong = Lease(token: lease.token, generation: lease.generation, digest: "x")
            try trial.expectEqual(
                try await trial.fill(key, wrong, "[1]"),
                .refused(.foreignWrite),
                "a wrong digest's fill"
            )
        },
    ]

    static let forcedLeases = [
        Check("a forced lease makes the value stale and earlier loads worthless") { trial in
            let key = trial.key()
            let generation = try await trial.load(key, "[1]", etag: "e")
            let (renewal, _) = try await trial.granted(key, .renew)
            let (forced, snapshot) = try await trial.granted(key, .force(.expire, cooldown: .zero))
            try trial.expectValue(snapshot, "[1]")
            try trial.expect(snapshot.freshFor <= .zero, "the value is still fresh")
            try trial.expectLong(snapshot.staleFor, "the rest of its life")
            try trial.expectEqual(snapshot.etag, "e", "the ETag")
            try trial.expect(forced.generation != generation, "the generation did not move")
            try trial.expectEqual(try await trial.get(key), nil, "the plain value")
            try trial.expectEqual(try await trial.fill(key, renewal, "[0]"), .refused(.invalidated), "the earlier fill")
            try await trial.expectStored(key, forced, "[2]", "the forced fill")
            try trial.expectValue(try await trial.read(key), "[2]")
        },
        Check("a forced lease may remove") { trial in
            try await trial.load(trial.key(), "[1]", staleFor: StoreTrial.long)
            let (_, snapshot) = try await trial.granted(trial.key(), .force(.remove, cooldown: .zero))
            try trial.expectValue(snapshot, nil)
            try trial.expectValue(try await trial.read(trial.key()), nil)
        },
        Check("a forced lease is granted over nothing, failures and other leases") { trial in
            let key = trial.key()
            let (first, _) = try await trial.granted(key)
            let isNoted = try await trial.fail(key, first)
            try trial.expect(isNoted, "a failure was not noted")
            let (second, snapshot) = try await trial.granted(key, .force(.expire, cooldown: .zero))
            try trial.expectEqual(snapshot.failure?.count, 1, "the failures before it")
            let (third, _) = try await trial.granted(key, .force(.expire, cooldown: .zero))
            try trial.expectEqual(try await trial.fill(key, second, "[2]"), .refused(.invalidated), "the second's fill")
            try await trial.expectStored(key, third, "[3]", "the third's fill")
        },
        Check("within the cooldown a forced load answers the next, under way and done") { trial in
            let key = trial.key()
            let force = LeaseRequest.Purpose.force(.expire, cooldown: StoreTrial.long)
            let (lease, _) = try await trial.granted(key, force)
            let during = try await trial.coolingDown(key, force)
            try trial.expectLong(during.leaseFor, "the load under way")
            try trial.expectEqual(try await trial.fill(key, lease, "[1]"), .stored(lease.generation), "the fill")
            let after = try await trial.coolingDown(key, force)
            try trial.expectValue(after, "[1]")
            try trial.expectEqual(after.leaseFor, nil, "the load under way")
            _ = try await trial.granted(key, .force(.expire, cooldown: .zero))
        },
        Check("the cooldown ends with its time") { trial in
            let key = trial.key()
            _ = try await trial.granted(key, .force(.expire, cooldown: StoreTrial.short))
            try await trial.eventually("the cooldown has ended") {
                if case .granted = try await trial.lease(key, .force(.expire, cooldown: .milliseconds(20))) {
                    true
                } else {
                    false
                }
            }
        },
        Check("the cooldown ends with an invalidation, a release and a lost lease, not with a failure") { trial in
            let force = LeaseRequest.Purpose.force(.expire, cooldown: StoreTrial.long)
            for invalidation in [Invalidation.expire, .remove] {
                let key = trial.key("\(invalidation)")
                _ = try await trial.granted(key, force)
                try await trial.store.invalidateEntry(key, invalidation)
                _ = try await trial.granted(key, force)
            }
            let released = trial.key("released")
            let (lease, _) = try await trial.granted(released, force)
            try await trial.store.releaseEntry(released, token: lease.token)
            _ = try await trial.granted(released, force)

            let lost = trial.key("lost")
            _ = try await trial.granted(lost, force, holdFor: StoreTrial.short)
            try await trial.eventually("the lease is lost") {
                if case .granted = try await trial.lease(lost, force) { true } else { false }
            }

            let failed = trial.key("failed")
            let (failing, _) = try await trial.granted(failed, force)
            try await trial.fail(failed, failing)
            let snapshot = try await trial.coolingDown(failed, force)
            try trial.expectEqual(snapshot.failure?.message, "no", "the failure")
        },
        Check("it is told how long ago the last forced load began, until the key is invalidated") { trial in
            let key = trial.key()
            let force = LeaseRequest.Purpose.force(.expire, cooldown: StoreTrial.long)
            let (lease, before) = try await trial.granted(key, force)
            try trial.expectEqual(before.lastForced, nil, "the last forced load, before the first one")
            try await trial.passTime(.milliseconds(20))
            let during = try await trial.coolingDown(key, force)
            let time = try trial.unwrap(during.lastForced, "time since the forced load")
            try trial.expect(time >= .milliseconds(10) && time < StoreTrial.long, "it began \(time) ago")
            _ = try await trial.fill(key, lease, "[1]")
            let known = try trial.unwrap(try await trial.read(key).lastForced, "time since the forced load, as read")
            try trial.expect(known >= time, "it began \(known) ago, after it had begun \(time) ago")
            try await trial.store.invalidateEntry(key, .expire)
            try trial.expectEqual(try await trial.read(key).lastForced, nil, "the last forced load, once invalidated")
        },
        Check("an absence that a forced load found answers the next, though readers are not told any more") { trial in
            let key = trial.key()
            let force = LeaseRequest.Purpose.force(.expire, cooldown: StoreTrial.long)
            let (lease, _) = try await trial.granted(key, force)
            let fill = EntryFill(content: .absent, freshFor: StoreTrial.short)
            try await trial.expectStored(key, lease, fill, "the fill")
            try await trial.eventually("the absence is over") { try await trial.read(key).content == .gone }
            let snapshot = try await trial.coolingDown(key, force)
            try trial.expectEqual(snapshot.content, .absent, "the content")
            try trial.expect(snapshot.freshFor <= .zero, "it is fresh for \(snapshot.freshFor)")
            try trial.expectEqual(snapshot.leaseFor, nil, "the load under way")
        },
        Check("a release of another lease, or the loss of one, keeps the cooldown") { trial in
            let key = trial.key()
            let force = LeaseRequest.Purpose.force(.expire, cooldown: StoreTrial.long)
            let (forced, _) = try await trial.granted(key, force)
            _ = try await trial.fill(key, forced, "[1]")
            let (renewal, _) = try await trial.granted(key, .renew)
            try await trial.store.releaseEntry(key, token: renewal.token)
            _ = try await trial.coolingDown(key, force)
            _ = try await trial.granted(key, .renew, holdFor: StoreTrial.short)
            try await trial.eventually("the lease is lost") { try await trial.read(key).leaseFor == nil }
            _ = try await trial.coolingDown(key, force)
        },
    ]
}
