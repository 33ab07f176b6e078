import Freshet

extension StoreContract {
    static let schedules = [
        Check("a slot has one load") { trial in
            let key = trial.key()
            let start = try await trial.time(key)
            let (lease, _) = try await trial.grantedSlot(key, start)
            guard case .held(let snapshot) = try await trial.ask(key, start) else {
                throw Violation(message: "it was not held", line: #line)
            }
            try trial.expectLong(snapshot.leaseFor, "the lease's rest")
            try trial.expectEqual(try await trial.fill(key, lease, "[1]"), .stored(lease.generation), "the fill")
            try await trial.expectNotDue(key, start)
            let next = try await trial.later(key)
            _ = try await trial.grantedSlot(key, next)
        },
        Check("a scheduled load does not touch what is fresh, and replaces it") { trial in
            let key = trial.key()
            try await trial.load(key, "[1]", etag: "e")
            let (lease, snapshot) = try await trial.grantedSlot(key, try await trial.later(key))
            try trial.expectValue(snapshot, "[1]")
            try trial.expectEqual(snapshot.etag, "e", "the ETag")
            try trial.expectValue(try await trial.read(key), "[1]")
            guard case .fresh = try await trial.lease(key) else {
                throw Violation(message: "it is not fresh to readers", line: #line)
            }
            try trial.expectEqual(try await trial.fill(key, lease, "[2]"), .stored(lease.generation), "the fill")
            try trial.expectValue(try await trial.read(key), "[2]")
        },
        Check("a reader's load within the slot is the slot's load, as long as it is fresh") { trial in
            let key = trial.key()
            let start = try await trial.time(key)
            try await trial.load(key, "[1]")
            try await trial.expectNotDue(key, start)
            try await trial.store.invalidateEntry(key, .expire)
            _ = try await trial.grantedSlot(key, start)
        },
        Check("a slot is not due before its time") { trial in
            let key = trial.key()
            try await trial.expectNotDue(key, try await trial.time(key) + .seconds(100))
        },
        Check("a load that comes to nothing leaves its slot to the next") { trial in
            let key = trial.key()
            let start = try await trial.time(key)
            let (released, _) = try await trial.grantedSlot(key, start)
            try await trial.store.releaseEntry(key, token: released.token)
            let (failed, _) = try await trial.grantedSlot(key, start)
            try await trial.fail(key, failed)
            guard case .failing(let snapshot) = try await trial.ask(key, start) else {
                throw Violation(message: "it was not failing", line: #line)
            }
            try trial.expectEqual(snapshot.failure?.count, 1, "the failure's count")
            try await trial.store.invalidateEntry(key, .remove)
            _ = try await trial.grantedSlot(key, start, holdFor: StoreTrial.short)
            try await trial.eventually("the slot is free again") {
                if case .granted = try await trial.ask(key, start) { true } else { false }
            }
        },
        Check("a reader that takes over from a scheduled load frees the slot, if it fails too") { trial in
            let key = trial.key()
            let start = try await trial.time(key)
            _ = try await trial.grantedSlot(key, start, holdFor: StoreTrial.short)
            let second = try await trial.grantedInTime(key)
            try await trial.store.releaseEntry(key, token: second.token)
            _ = try await trial.grantedSlot(key, start)
        },
        Check("an invalidation refuses a scheduled load, but does not free its slot") { trial in
            for invalidation in [Invalidation.expire, .remove] {
                let key = trial.key("\(invalidation)")
                let start = try await trial.time(key)
                let (lease, _) = try await trial.grantedSlot(key, start)
                try await trial.store.invalidateEntry(key, invalidation)
                try trial.expectEqual(try await trial.fill(key, lease, "[1]"), .refused(.invalidated), "the fill")
                try await trial.expectNotDue(key, start)
                _ = try await trial.granted(key)
            }
        },
        Check("a drop ends a scheduled load, but does not free its slot") { trial in
            for isForeign in [false, true] {
                let key = trial.key("\(isForeign)")
                let start = try await trial.time(key)
                let (lease, _) = try await trial.grantedSlot(key, start)
                if isForeign { try await trial.set(key, "[9]") }
                try trial.expectEqual(try await trial.store.dropEntry(key, lease), !isForeign, "whether it went")
                try await trial.expectNotDue(key, start)
            }
        },
        Check("a slot is left out when nobody reads, until somebody does") { trial in
            let key = trial.key()
            let idleAfter = Duration.milliseconds(8)
            try trial.expectEqual(try await trial.read(key).lastRead, nil, "the last read before any schedule")
            let (first, _) = try await trial.grantedSlot(key, try await trial.time(key), idleAfter: idleAfter)
            _ = try await trial.fill(key, first, "[1]")
            try await trial.eventually("it is idle") { (try await trial.read(key).lastRead ?? .zero) >= idleAfter }
            let next = try await trial.later(key)
            guard case .notDue(let snapshot) = try await trial.ask(key, next, idleAfter: idleAfter) else {
                throw Violation(message: "it was not idle", line: #line)
            }
            try trial.expect((snapshot.lastRead ?? .zero) >= idleAfter, "it does not say for how long")
            try await trial.store.invalidateEntry(key, .remove)
            try await trial.expectNotDue(key, next, idleAfter: idleAfter)
            _ = try await trial.grantedSlot(key, next, lastRead: .zero, idleAfter: .seconds(100))
            let noted = try trial.unwrap(try await trial.read(key).lastRead, "last read")
            try trial.expect(noted < .seconds(60), "the read was not noted")
        },
        Check("the last read moves forward only, and not at every read") { trial in
            let key = trial.key()
            let start = try await trial.time(key)
            let (lease, _) = try await trial.grantedSlot(key, start, lastRead: .seconds(50), idleAfter: StoreTrial.long)
            _ = try await trial.fill(key, lease, "[1]")
            let first = try trial.unwrap(try await trial.read(key).lastRead, "last read")
            try trial.expect(first < .seconds(40), "the first slot counts as a read, not \(first)")
            try await trial.expectNotDue(key, start, lastRead: .seconds(500), idleAfter: StoreTrial.long)
            let second = try trial.unwrap(try await trial.read(key).lastRead, "last read")
            try trial.expect(second < .seconds(40), "an earlier read counted")
            try await trial.passTime(.milliseconds(3))
            try await trial.expectNotDue(key, start, lastRead: .zero, idleAfter: StoreTrial.long)
            let third = try trial.unwrap(try await trial.read(key).lastRead, "last read")
            try trial.expect(third >= .milliseconds(3), "a read was noted that is hardly later")
        },
    ]
}

extension StoreTrial {
    /// What the store's clock shows.
    func time(_ key: String) async throws -> Duration { try await read(key).time }

    /// A time of the store's clock after everything that has happened.
    func later(_ key: String) async throws -> Duration {
        try await passTime(.milliseconds(3))
        return try await time(key)
    }

    func ask(
        _ key: String,
        _ start: Duration,
        lastRead: Duration? = nil,
        idleAfter: Duration = .zero,
        holdFor: Duration = long
    ) async throws -> LeaseOutcome {
        let slot = ScheduledSlot(start: start, lastRead: lastRead, idleAfter: idleAfter, keepFor: Self.long)
        return try await lease(key, .scheduled(slot), holdFor: holdFor)
    }

    func grantedSlot(
        _ key: String,
        _ start: Duration,
        lastRead: Duration? = nil,
        idleAfter: Duration = .zero,
        holdFor: Duration = long,
        line: UInt = #line
    ) async throws -> (Lease, EntrySnapshot) {
        let outcome = try await ask(key, start, lastRead: lastRead, idleAfter: idleAfter, holdFor: holdFor)
        guard case .granted(let lease, let snapshot) = outcome else {
            throw StoreContract.Violation(message: "a slot was not granted but is \(outcome)", line: line)
        }
        return (lease, snapshot)
    }

    func expectNotDue(
        _ key: String,
        _ start: Duration,
        lastRead: Duration? = nil,
        idleAfter: Duration = .zero,
        line: UInt = #line
    ) async throws {
        let outcome = try await ask(key, start, lastRead: lastRead, idleAfter: idleAfter)
        guard case .notDue = outcome else {
            throw StoreContract.Violation(message: "a slot is not refused but \(outcome)", line: line)
        }
    }
}
