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

    func isHurried(_ flight: FlightID) -> Bool { state.withLockedValue { $0.hurried.contains(flight) } }

    /// The flight has landed.
    func forget(_ flight: FlightID) { state.withLockedValue { _ = $0.hurried.remove(flight) } }

    fileprivate func acquire(_ flight: FlightID?) async throws {
        let ticket = state.withLockedValue { state in
            state.lastTicket += 1
            return state.lastTicket
        }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { waiter in
                let result: Result<Void, any Error>? = state.withLockedValue { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.free > 0 || flight.map(state.hurried.contains) ?? false {
                        state.free -= 1
                        return .success(())
                    }
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

/// A place among the loads that run at once. It is given back once, by whoever comes first.
final class LoadPermit: Sendable {
    private enum Phase { case wanted, held, over }

    private let limiter: LoadLimiter
    private let phase = NIOLockedValueBox(Phase.wanted)

    init(_ limiter: LoadLimiter) { self.limiter = limiter }

    /// Waits for the place.
    ///
    /// - Throws: `CancellationError`, also where it has been given back meanwhile.
    func acquire(for flight: FlightID?) async throws {
        try await limiter.acquire(flight)
        let isWanted = phase.withLockedValue { phase in
            guard phase == .wanted else { return false }
            phase = .held
            return true
        }
        guard isWanted else {
            limiter.release()
            throw CancellationError()
        }
    }

    /// Whether it has never been held.
    var isWanted: Bool { phase.withLockedValue { $0 == .wanted } }

    /// - Returns: whether it was still held.
    @discardableResult
    func giveBack() -> Bool {
        let wasHeld = phase.withLockedValue { phase in
            defer { phase = .over }
            return phase == .held
        }
        if wasHeld { limiter.release() }
        return wasHeld
    }
}
