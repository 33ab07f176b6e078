import NIOCore

extension Mixture {
    private enum Disturbance: CaseIterable {
        case none, cut, delay, drip, repliesVanish, requestsVanish, refusal, freeze, subscribersCut
    }

    /// Does one thing after the other to the path and its server while others work, until its task is cancelled. Then
    /// both are well again.
    public func disturb(_ proxy: FaultProxy, _ server: RedisServer, seed: UInt64) async {
        var random = SplitMix64(seed: seed)
        while !Task.isCancelled {
            let goal = steps + Int.random(in: 20...200, using: &random)
            // With nobody to be disturbed, it goes on at some time nevertheless.
            _ = await eventually(within: .seconds(1)) { Task.isCancelled || steps >= goal }
            await Self.calm(proxy, server)
            switch Disturbance.allCases.randomElement(using: &random) ?? .none {
            case .none: break
            case .cut: proxy.cut()
            case .delay: proxy.faults.delay = .milliseconds(.random(in: 1...30, using: &random))
            case .drip: proxy.faults.dripSize = .random(in: 1...40, using: &random)
            case .repliesVanish: proxy.faults.swallowsReplies = true
            case .requestsVanish: proxy.faults.swallowsRequests = true
            case .refusal:
                proxy.faults.refuses = true
                proxy.cut()
            case .freeze: server.pause()
            case .subscribersCut: _ = try? server.command("CLIENT KILL TYPE pubsub")
            }
        }
        await Self.calm(proxy, server)
    }

    private static func calm(_ proxy: FaultProxy, _ server: RedisServer) async {
        server.resume()
        // TCP loses nothing from the middle of a connection that goes on.
        if proxy.faults.swallowsReplies || proxy.faults.swallowsRequests {
            proxy.faults.refuses = true
            proxy.cut()
            _ = await eventually { proxy.openCount == 0 }
        }
        proxy.faults = .init()
    }
}
