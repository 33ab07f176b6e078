import Freshet

/// C2 and C4: when the source may be asked.
extension Contract {
    /// Of two loads at once the earlier one has been invalidated.
    func checkOneLoad() throws {
        for (number, load) in loads.enumerated() {
            // A fetcher may heed its cancellation late.
            guard let end = load.end, load.result != .cancelled else { continue }
            for (other, later) in loads.enumerated().dropFirst(number + 1) where later.begin < end && !later.isForced {
                // Its leave may have been granted before it began.
                if !isInvalidated(from: load.begin.time + .milliseconds(-50), to: later.begin.time) {
                    throw breach("C2: loads \(number) and \(other) at once", load.begin, later.begin)
                }
            }
        }
    }

    /// Nobody waits for long while nobody loads: no lease is left behind.
    func checkWaits() throws {
        let loads = loads.filter { $0.end != nil }.sorted { $0.begin < $1.begin }
        for (number, call) in calls.enumerated() {
            guard let end = call.end else { continue }
            var last = call.begin.time
            for load in loads where load.begin < end && load.begin.time <= last + Self.storeTime {
                last = max(last, load.end?.time ?? last)
            }
            if end.time > last + Self.storeTime { throw breach("C3: call \(number) waits for nobody", call.begin, end) }
        }
    }

    /// A source that has failed is left alone for a while.
    func checkPatience() throws {
        for (number, load) in loads.enumerated() where load.result == .failed {
            guard let end = load.end else { continue }
            for (other, later) in loads.enumerated().dropFirst(number + 1) where !later.isForced && later.begin > end {
                guard later.begin.time < end.time + (policy.errorBackoff - Self.slack) else { break }
                // It may have waited for another load since before it was invalidated: then its failure is its own.
                let isForgotten =
                    loads[number..<other].contains { $0.isForced || $0.result != .failed }
                    || isInvalidated(from: load.begin.time + .milliseconds(-1500), to: later.begin.time)
                if !isForgotten {
                    throw breach("C4: load \(other) soon after load \(number), which failed", load.begin, later.begin)
                }
            }
        }
    }

    private func isInvalidated(from begin: MonotonicInstant, to end: MonotonicInstant) -> Bool {
        calls.contains { call in
            let counts =
                switch call.operation {
                case .read, .readYounger: false
                case .refresh, .invalidate: true
                }
            return counts && call.begin.time < end && (call.end.map { $0.time > begin } ?? true)
        }
    }
}
