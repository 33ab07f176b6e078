public import NIOConcurrencyHelpers
import NIOCore
public import RESP

extension Mixture {
    /// What became of steps that were to be appended to a list.
    public struct Tally: Sendable {
        var answered: Set<Int> = []
        var notRun: Set<Int> = []
    }

    /// Appends to a list of its own, sometimes impatient, sometimes changing its mind.
    public func append(to key: String, steps: Int, seed: UInt64, _ run: @escaping Run) async -> Tally {
        var random = SplitMix64(seed: seed)
        var (tally, unknown, last) = (Tally(), 0, 0)
        for step in 0..<steps {
            let timeout = random.timeout()
            let yields = random.percent(20) ? Int.random(in: 0..<20, using: &random) : nil
            let call = Task.immediate { try await run(RESPCommand("RPUSH", key, step), timeout) }
            if let yields {
                for _ in 0..<yields { await Task.yield() }
                call.cancel()
            }
            let outcome = await attempt("append") {
                let reply = try await call.value
                guard let count = reply.integer, count > last, count <= tally.answered.count + 1 + unknown else {
                    return breach("\(key): \(reply) after \(last), \(tally.answered.count), \(unknown) unknown")
                }
                last = count
            }
            switch outcome {
            case .answered: tally.answered.insert(step)
            case .notRun: tally.notRun.insert(step)
            case .unknown: unknown += 1
            }
        }
        return tally
    }

    /// - Parameter list: what the key holds in the end.
    public func check(_ tally: Tally, of key: String, _ list: RESPValue) {
        let steps = list.array?.compactMap(\.integer) ?? []
        let found = Set(steps)
        if found.count < steps.count { breach("\(key): run twice: \(steps)") }
        let (lost, denied) = (tally.answered.subtracting(found), tally.notRun.intersection(found))
        if !lost.isEmpty { breach("\(key): answered and not run: \(lost)") }
        if !denied.isEmpty { breach("\(key): said not to have run: \(denied)") }
    }

    /// Sends many commands at once, one of which the server refuses.
    ///
    /// - Parameter name: has to be there, and be no hash.
    public func pipelines(of name: String, steps: Int, seed: UInt64, _ run: @escaping RunPipeline) async {
        var random = SplitMix64(seed: seed)
        for step in 0..<steps {
            let texts = (0..<Int.random(in: 1...60, using: &random)).map {
                "\(name) \(step) \($0)" + String(repeating: "x", count: $0 * 20)
            }
            var commands = texts.map { RESPCommand("ECHO", $0) }
            let refused = Int.random(in: 0...texts.count, using: &random)
            commands.insert(RESPCommand("HGET", name, "field"), at: refused)
            await attempt("pipeline") {
                var replies = try await run(commands, random.timeout())
                let isComplete = replies.count == commands.count
                guard isComplete, replies.remove(at: refused).error != nil, replies.map(\.string) == texts else {
                    return breach("\(name), step \(step): \(replies)")
                }
            }
        }
    }

    /// Changes two counters together.
    ///
    /// - Parameter watches: whether what was given up before, and runs only now, may be in the way.
    public func transactions(
        on name: String,
        steps: Int,
        seed: UInt64,
        watches: Bool = false,
        _ run: @escaping RunPipeline
    ) async {
        var random = SplitMix64(seed: seed)
        let commands = ["left", "right"].map { RESPCommand("INCR", "{\(name)}:\($0)") }
        for _ in 0..<steps {
            await attempt("transaction") {
                let replies = try await run(commands, random.timeout())
                if watches, replies.isEmpty { return }
                guard replies.count == 2, let left = replies[0].integer, replies[1].integer == left else {
                    return breach("\(name): \(replies)")
                }
            }
        }
    }

    /// Tells a channel numbers that grow by one, until its task is cancelled.
    public func publish(to channel: String, _ run: @Sendable (RESPCommand) async throws -> RESPValue) async {
        for number in 0... {
            let before = steps
            // As fast as the others get on.
            _ = await eventually(within: .milliseconds(10)) { Task.isCancelled || steps > before }
            if Task.isCancelled { return }
            do {
                _ = try await run(RESPCommand("PUBLISH", channel, number))
            } catch {
                if !Task.isCancelled { breach("\(number) was not told: \(error)") }
                return
            }
        }
    }

    /// Hears numbers that grow by one, unless it is told of a gap.
    ///
    /// - Parameter heard: the last of them.
    public func listen(to channel: String, of client: some ChannelSubscriber, _ heard: NIOLockedValueBox<Int>) async {
        do {
            var mayMiss = true
            for try await event in try await subscription(to: channel, of: client) {
                if event.isGap { mayMiss = true }
                guard case .message(let message) = event else { continue }
                let last = heard.withLockedValue { $0 }
                guard let number = Int(String(buffer: message.payload)), number > last, mayMiss || number == last + 1
                else { return breach("\(message) after \(last)") }
                heard.withLockedValue { $0 = number }
                mayMiss = false
            }
        } catch {
            if !Task.isCancelled { breach("The subscription ended: \(error)") }
        }
    }

    /// A busy machine may not make one in time. Once there is one it lasts.
    private func subscription(to channel: String, of client: some ChannelSubscriber) async throws -> RedisSubscription {
        while true {
            do {
                return try await client.subscribe(to: [channel])
            } catch  where isExpected(error) && !Task.isCancelled {}
        }
    }
}

extension SplitMix64 {
    fileprivate mutating func percent(_ share: Int) -> Bool { Int.random(in: 0..<100, using: &self) < share }

    /// Impatient now and then.
    fileprivate mutating func timeout() -> Duration {
        percent(30) ? .milliseconds(Int.random(in: 1...40, using: &self)) : .seconds(5)
    }
}
