import NIOConcurrencyHelpers

/// Lets so many loads run at once; the others wait in the order they came.
///
/// A load that another load waits for does not wait itself: it would wait for a place that its own waiter holds.
final class LoadLimiter: Sendable {
    private struct State {
        /// Negative while hurried loads run beyond the limit.
        var free: Int
        var lastTicket: UInt64 = 0
        var queue: [Place] = []
        var hurried: Set<FlightID> = []

        mutating func take(for flight: FlightID?) -> Bool {
            guard free > 0 || flight.map(hurried.contains) ?? false else { return false }
            free -= 1
            return true
        }
    }

    private struct Place {
        let ticket: UInt64
        let flight: FlightID?
        let waiter: UnsafeContinuation<Void, any Error>
    }

    private let state: NIOLockedValueBox<State>

    init(limit: Int) { state = NIOLockedValueBox(State(free: max(1, limit))) }

    /// Another load waits for this flight.
    func hurry(_ flight: FlightID) {
        let place: Place? = state.withLockedValue { state in
            state.hurried.insert(flight)
            guard let index = state.queue.firstIndex(where: { $0.flight == flight }) else { return nil }
            state.free -= 1
            return state.queue.remove(at: index)
        }
        place?.waiter.resume()
    }

    /// The flight has landed.
    func forget(_ flight: FlightID) { state.withLockedValue { _ = $0.hurried.remove(flight) } }

    /// A place, if one is free.
    func take(for flight: FlightID?) -> LoadPermit? {
        state.withLockedValue { $0.take(for: flight) } ? LoadPermit(self) : nil
    }

    /// Waits for a place.
    ///
    /// - Throws: `CancellationError`.
    func acquire(for flight: FlightID?) async throws -> LoadPermit {
        let ticket = state.withLockedValue { state in
            state.lastTicket += 1
            return state.lastTicket
        }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { waiter in
                let result: Result<Void, any Error>? = state.withLockedValue { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.take(for: flight) { return .success(()) }
                    state.queue.append(Place(ticket: ticket, flight: flight, waiter: waiter))
                    return nil
                }
                if let result { waiter.resume(with: result) }
            }
        } onCancel: {
            let place = state.withLockedValue { state in
                state.queue.firstIndex { $0.ticket == ticket }.map { state.queue.remove(at: $0) }
            }
            place?.waiter.resume(throwing: CancellationError())
        }
        return LoadPermit(self)
    }

    fileprivate func release() {
        let next: Place? = state.withLockedValue { state in
            state.free += 1
            guard state.free > 0, !state.queue.isEmpty else { return nil }
            state.free -= 1
            return state.queue.removeFirst()
        }
        next?.waiter.resume()
    }
}

/// A place among the loads that run at once. It is given back once: early, or with its last reference.
final class LoadPermit: Sendable {
    private let limiter: LoadLimiter
    private let isHeld = NIOLockedValueBox(true)

    fileprivate init(_ limiter: LoadLimiter) { self.limiter = limiter }

    deinit { giveBack() }

    func giveBack() {
        let wasHeld = isHeld.withLockedValue { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        if wasHeld { limiter.release() }
    }
}
