/// Names a call that starts services, so that it can take back what it has started.
typealias CallID = UInt64

/// Which services there are, in which phase each is, who waits for it, and what depends on what. Pure: no task, no I/O.
struct RegistryState {
    typealias WaiterID = UInt64
    /// Gets nil if the service was shut down meanwhile: ask again.
    typealias Waiter = UnsafeContinuation<(any CoreService)?, any Error>
    typealias Waiting = (id: WaiterID, waiter: Waiter)

    /// A service to be started now.
    struct Start: Sendable {
        let key: ServiceKey
        let dependencies: [ServiceKey]
        let make: ServiceRegistry.Make
        let call: CallID?
    }

    enum Answer {
        case available(any CoreService)
        /// There is nothing to wait for.
        case settled
        /// The waiter is kept until the service has settled.
        case waiting
        /// As `waiting`, and it is for the caller to start it.
        case start(Start)
    }

    enum StopStep {
        /// Something is being started or shut down: wait for it first.
        case settle(ServiceKey)
        case stop(ServiceKey, any CoreService)
    }

    private enum Phase {
        case idle
        case starting
        case started(any CoreService)
        case stopping
    }

    private struct Slot {
        let dependencies: [ServiceKey]
        let make: ServiceRegistry.Make
        var phase = Phase.idle
        /// What it asked for while it was made.
        var discovered: Set<ServiceKey> = []
        /// The call that started it, until somebody else asks for it too.
        var call: CallID?
        /// Who waits for the end of a start or a shutdown.
        var waiters: [WaiterID: Waiter] = [:]

        var isIdle: Bool { if case .idle = phase { true } else { false } }

        mutating func takeWaiters() -> [Waiter] {
            defer { waiters = [:] }
            return Array(waiters.values)
        }
    }

    var isShuttingDown = false
    private(set) var registeredKeys: [ServiceKey] = []
    private var slots: [ServiceKey: Slot] = [:]
    /// Those that have been started, in that order: each after all that it depends on.
    private var order: [ServiceKey] = []
    private var lastID: UInt64 = 0

    mutating func newID() -> UInt64 {
        lastID += 1
        return lastID
    }

    mutating func register(
        _ key: ServiceKey,
        _ dependencies: [ServiceKey],
        _ make: @escaping ServiceRegistry.Make
    ) throws(CacheError) {
        guard slots[key] == nil else {
            throw CacheError(.configuration, "service '\(key)' is registered already")
        }
        slots[key] = Slot(dependencies: dependencies, make: make)
        registeredKeys.append(key)
    }

    /// Asks for a service, on behalf of the one that is being made and needs it, if any.
    mutating func ask(
        _ key: ServiceKey,
        for parent: ServiceKey?,
        call: CallID?,
        _ waiting: Waiting
    ) throws(CacheError) -> Answer {
        guard !isShuttingDown else { throw CacheError(.shuttingDown, "the services are being shut down") }
        // A task that a service left behind when it had started asks for nobody.
        let isNeeded = parent.map(isStarting) ?? true
        let (parent, call) = isNeeded ? (parent, call) : (nil, nil)
        // What has been started was found to be in order.
        if parent != nil || !isStarted(key) { try validate(key, below: parent) }
        if let parent { slots[parent]?.discovered.insert(key) }
        if let start = start(key, call) {
            slots[key]?.waiters[waiting.id] = waiting.waiter
            return .start(start)
        }
        if slots[key]?.call != call { slots[key]?.call = nil }
        if case .started(let service)? = slots[key]?.phase { return .available(service) }
        // In place: a copy for each of many who wait would cost the square of their number.
        slots[key]?.waiters[waiting.id] = waiting.waiter
        return .waiting
    }

    private func isStarting(_ key: ServiceKey) -> Bool {
        if case .starting? = slots[key]?.phase { true } else { false }
    }

    private func isStarted(_ key: ServiceKey) -> Bool {
        if case .started? = slots[key]?.phase { true } else { false }
    }

    private mutating func start(_ key: ServiceKey, _ call: CallID?) -> Start? {
        guard let slot = slots[key], case .idle = slot.phase else { return nil }
        slots[key]?.phase = .starting
        slots[key]?.call = call
        return Start(key: key, dependencies: slot.dependencies, make: slot.make, call: call)
    }

    /// Waits for a service to settle, without asking for it.
    mutating func watch(_ key: ServiceKey, _ waiting: Waiting) -> Answer {
        switch slots[key]?.phase {
        case .starting, .stopping:
            slots[key]?.waiters[waiting.id] = waiting.waiter
            return .waiting
        case .idle, .started, nil:
            return .settled
        }
    }

    func waiters(for key: ServiceKey) -> Int { slots[key]?.waiters.count ?? 0 }

    /// Takes a waiter out.
    mutating func leave(_ id: WaiterID) -> Waiter? {
        for key in registeredKeys {
            if let waiter = slots[key]?.waiters.removeValue(forKey: id) { return waiter }
        }
        return nil
    }

    /// Whether a service that a call has begun to start is needed by others too.
    func isNeeded(_ key: ServiceKey, beside call: CallID) -> Bool {
        slots[key]?.call != call || needed(beside: call).contains(key)
    }

    /// Ends a start.
    mutating func settle(_ key: ServiceKey, _ outcome: Result<any CoreService, any Error>) -> [Waiter] {
        switch outcome {
        case .success(let service):
            slots[key]?.phase = .started(service)
            order.append(key)
        case .failure:
            forget(key)
        }
        return slots[key]?.takeWaiters() ?? []
    }

    private mutating func forget(_ key: ServiceKey) {
        slots[key]?.phase = .idle
        slots[key]?.discovered = []
        slots[key]?.call = nil
    }

    /// What to do next in shutting down; nil when all is done.
    ///
    /// - Parameters:
    ///   - call: whose services, but for those that others' depend on; nil for all.
    ///   - parent: the service that has made the call.
    mutating func nextToStop(_ call: CallID?, of parent: ServiceKey?) -> StopStep? {
        let kept = call.map { needed(beside: $0, of: parent) } ?? []
        for key in registeredKeys {
            guard let slot = slots[key], call == nil || slot.call == call, !kept.contains(key) else { continue }
            switch slot.phase {
            case .starting, .stopping: return .settle(key)
            case .idle, .started: continue
            }
        }
        let index = order.lastIndex { call == nil || slots[$0]?.call == call && !kept.contains($0) }
        guard let index else { return nil }
        let key = order.remove(at: index)
        guard case .started(let service)? = slots[key]?.phase else { return nextToStop(call, of: parent) }
        slots[key]?.phase = .stopping
        return .stop(key, service)
    }

    /// What services depend on that are not of the call, or not of it alone; but for what the parent has asked for by it.
    private func needed(beside call: CallID, of parent: ServiceKey? = nil) -> Set<ServiceKey> {
        var open = registeredKeys.filter { slots[$0]?.call != call }
        var needed: Set<ServiceKey> = []
        while let key = open.popLast() {
            // What has failed may still be asked for by name.
            guard key != parent, let slot = slots[key], !slot.isIdle else { continue }
            open += slot.discovered.union(slot.dependencies).filter { needed.insert($0).inserted }
        }
        return needed
    }

    /// Ends a shutdown.
    mutating func stopped(_ key: ServiceKey) -> [Waiter] {
        forget(key)
        return slots[key]?.takeWaiters() ?? []
    }
}

extension RegistryState {
    /// Checks that a service and all that it depends on are registered, and that none depends on itself.
    ///
    /// - Parameter parent: a service that is about to depend on it.
    /// - Throws: `CacheError` with `configuration`, whose message names the whole path.
    func validate(_ key: ServiceKey, below parent: ServiceKey? = nil) throws(CacheError) {
        var path = parent.map { [$0] } ?? []
        var done: Set<ServiceKey> = []
        try visit(key, &path, &done)
    }

    private func visit(
        _ key: ServiceKey,
        _ path: inout [ServiceKey],
        _ done: inout Set<ServiceKey>
    ) throws(CacheError) {
        if done.contains(key) { return }
        if let start = path.firstIndex(of: key) {
            throw CacheError(
                .configuration,
                "services depend on each other in a circle: \(text(path[start...] + [key]))"
            )
        }
        guard let slot = slots[key] else {
            throw CacheError(.configuration, "no service '\(key)' is registered: \(text(path + [key]))")
        }
        path.append(key)
        for dependency in slot.dependencies { try visit(dependency, &path, &done) }
        for dependency in slot.discovered.sorted(by: { $0.description < $1.description }) {
            try visit(dependency, &path, &done)
        }
        path.removeLast()
        done.insert(key)
    }

    private func text(_ path: some Collection<ServiceKey>) -> String {
        path.map(\.description).joined(separator: " → ")
    }
}
