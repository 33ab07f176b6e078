import Logging
public import ServiceLifecycle

extension FieldCache: Service {
    /// Refreshes on schedule, listens to the backplane, looks after the store and frees what has expired until the
    /// graceful shutdown, then ends as ``shutdown()`` does.
    ///
    /// In a `ServiceGroup` put it before the server, which then stops first; else readers under way at the shutdown get
    /// `shuttingDown`. In Hummingbird it goes into `Application(services:)`.
    public func run() async throws {
        pulse.start()
        schedule.start()
        await withTaskGroup { group in
            if let backplane {
                group.addTask { await backplane.listen { self.receive($0) } }
            }
            group.addTask { await self.sweep() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        await shutdown()
    }

    /// Frees, once a minute, what has expired where no call does that by the way, and sets the gauges.
    private func sweep() async {
        while (try? await base.sleep(for: .seconds(60))) != nil {
            measure()
            tools.store.sweep()
        }
    }

    private func receive(_ event: BackplaneEvent) {
        switch event {
        case .live:
            tools.backlog.gapEnded()
            gapCheck.start()
            pulse.wake(isUrgent: true)
        case .lost:
            tools.backlog.gapBegan()
            gapCheck.stop()
            pulse.wake(isUrgent: true)
        case .changed(let key, .filled(let mark), let generation):
            desk.tell(key, generation, isInvalidation: false) {
                tools.suspectFailure(of: key)
                $0.suspect(key, unlessLoadedUnder: mark)
            }
        case .changed(let key, .invalidated(let invalidation), let generation):
            record(invalidation, .backplane, of: key)
            if tools.journal.covers(key) { tools.backlog.noteTold(invalidation, of: key, generation) }
            desk.tell(key, generation, isInvalidation: true) {
                tools.suspectFailure(of: key)
                $0.invalidate(key, invalidation, unlessOf: generation)
            }
        case .written(let key):
            desk.tellWritten(key) { tools.suspectFailure(of: key) }
        case .everythingWritten: desk.tellEverythingWritten()
        }
    }

    /// What ``shutdown()`` takes at most.
    package static let shutdownTime = CacheService.shutdownTime

    /// Refuses new loads, cancels those under way, sends the invalidations that the store has yet to be told of, and
    /// waits for every task to end, all that for ten seconds at most, even if the caller is cancelled.
    public func shutdown() async {
        gapCheck.close()
        pulse.stop()
        schedule.stop()
        desk.close()
        tools.backlog.close()
        tools.settling.close()
        let end = base.now() + Self.shutdownTime
        let (spawner, backlog, logger) = (tools.spawner, tools.backlog, tools.logger)
        let sending = base.running(until: end) { await backlog.sendRest() }
        let draining = base.running(until: end) {
            await spawner.drain()
        } orElse: {
            logger.warning("a fetcher does not end; the shutdown goes on without it")
        }
        await draining.wait()
        await sending.wait()
        // What was under way could not be sent either.
        await base.running(until: end) { await backlog.sendRest() }.wait()
        backlog.noteLost()
    }
}
