/// What becomes of whoever asks for a flight.
enum JoinedFlight: Sendable, Equatable {
    /// The flight is there. `isCooldown`: a forced load that was asked for already answers this forced refresh.
    case joined(FlightID, isCooldown: Bool)
    /// The flight is new: run it.
    case opened(FlightID, FlightPurpose)
    /// The flight is new and runs later.
    case queued(FlightID)
    /// The load that asks is the one asked for, directly or around a circle.
    case circular
}

/// A flight to be run now.
struct FlightStart: Sendable, Equatable {
    let id: FlightID
    let purpose: FlightPurpose
}

/// What is to be done when flights have been overtaken.
struct FlightTurn: Sendable, Equatable {
    /// Nobody waits for them, and nothing that they bring is kept: cancel them.
    var abandoned: [FlightID] = []
    /// They run now.
    var starts: [FlightStart] = []

    static func += (turn: inout FlightTurn, next: FlightTurn) {
        turn.abandoned += next.abandoned
        turn.starts += next.starts
    }
}
