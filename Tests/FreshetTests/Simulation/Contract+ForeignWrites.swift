import Freshet

/// What other programs write is served soon, where the store tells of it.
extension Contract {
    func checkForeignWrites() throws {
        let writes = loads.filter { $0.node == nil }
        for (number, call) in calls.enumerated() {
            guard case .value(let value, .hit, _, _) = call.outcome, let end = call.end,
                let lastBrought = loads.last(where: { $0.result == .value(value) }), let broughtBy = lastBrought.node,
                let brought = lastBrought.end
            else { continue }
            for write in writes where brought.time + Self.storeTime < write.begin.time {
                guard write.begin.time + Self.slack < call.begin.time,
                    history.isWell(broughtBy, for: Self.recovery, before: brought.time, to: write.begin.time),
                    history.isWell(call.node, for: Self.recovery, before: write.begin.time, to: end.time)
                else { continue }
                throw breach("call \(number) got what another program had overwritten", write.begin, end)
            }
        }
    }
}
