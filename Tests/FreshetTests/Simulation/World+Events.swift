import FreshetTesting
import NIOCore

@testable import Freshet

/// What happens in a simulated world.
extension World {
    func askAgainAndAgain(until end: MonotonicInstant) async {
        while spawner.now() < end {
            let pauses: [Duration] = [.milliseconds(20), .milliseconds(500), .seconds(2)]
            try? await spawner.sleep(for: chance.time(upTo: chance.pick(pauses)))
            let (node, operation) = (chance.pick(nodes), operation())
            let luck = chance.next() % 100
            guard luck < 30 else {
                await call(operation, on: node)
                continue
            }
            let task = spawner.spawn { await call(operation, on: node) }
            guard luck < 10 else { continue }
            try? await spawner.sleep(for: chance.time(upTo: .milliseconds(200)))
            task.cancel()
        }
    }

    private func operation() -> History.Operation {
        if isQuiet, chance.percent(98) { return .read }
        return switch chance.next() % 100 {
        case 0..<62: .read
        case 62..<72: .readYounger(chance.pick([.milliseconds(10), .milliseconds(500), .seconds(3)]))
        case 72..<82: .refresh(purge: mayRemove && chance.percent(25))
        case 82..<91: .invalidate(.expire)
        default: .invalidate(mayRemove ? .remove : .expire)
        }
    }

    func call(_ operation: History.Operation, on node: Node) async {
        let call = history.begin(operation, on: node.number, holding: node.held)
        let (fields, field) = (node.fields, node.field)
        do {
            switch operation {
            case .read: history.end(call, .of(try await fields.read(field)))
            case .readYounger(let limit): history.end(call, .of(try await fields.read(field, maxAge: limit)))
            case .refresh(let purge): history.end(call, .of(try await fields.refresh(field, purge: purge)))
            case .invalidate(.expire): history.end(call, .invalidated(try await fields.expire(field)))
            case .invalidate(.remove): history.end(call, .invalidated(try await fields.remove(field)))
            }
        } catch let error as CacheError {
            history.end(call, .failed(error.code))
        } catch {
            history.end(call, .cancelled)
        }
    }

    func crowd(until end: MonotonicInstant) async {
        while spawner.now() < end {
            try? await spawner.sleep(for: chance.time(upTo: .seconds(1)))
            let node = chance.pick(nodes)
            _ = try? await node.fields.read(node.neighbour)
        }
    }

    /// Forced loads that wait for their place, and what comes between.
    func overtakeForcedLoads(until end: MonotonicInstant) async {
        while spawner.now() < end {
            try? await spawner.sleep(for: chance.time(upTo: .seconds(6)))
            let (node, other) = (chance.pick(nodes), chance.pick(nodes))
            var tasks = [spawner.spawn { _ = try? await node.fields.read(node.neighbour) }]
            var steps: [(Node, History.Operation)] = [
                (node, .refresh(purge: mayRemove && chance.percent(40))),
                (node, .invalidate(mayRemove && chance.percent(30) ? .remove : .expire)),
                (other, .read), (node, .read),
            ]
            let more: [History.Operation] = [
                .read, .readYounger(.milliseconds(10)), .refresh(purge: false), .invalidate(.expire),
            ]
            steps.append((chance.pick([node, other]), chance.pick(more)))
            for (node, operation) in steps {
                try? await spawner.sleep(for: chance.time(upTo: .milliseconds(chance.pick([20, 300]))))
                tasks.append(spawner.spawn { await call(operation, on: node) })
            }
            if hasTrouble, chance.percent(60) { tasks.append(spawner.spawn { await loseStore(of: node) }) }
            // What is there again at once, and has to be asked for.
            for _ in 0..<(hasOthers ? 4 : 0) {
                try? await spawner.sleep(for: chance.time(upTo: .milliseconds(200)))
                await write()
                tasks.append(spawner.spawn { await call(.read, on: node) })
            }
            for task in tasks { await task.wait() }
        }
    }

    /// A node loses its store for a moment, about when another load gives its place back.
    private func loseStore(of node: Node) async {
        try? await spawner.sleep(for: chance.time(upTo: .milliseconds(600)))
        let condition = chance.pick([.down, .readOnly, .hanging, .slow(.milliseconds(400))] as [Link.Condition])
        let trouble = history.beginTrouble(node.number, "store \(condition) for a moment", .store)
        node.link.become(condition)
        try? await spawner.sleep(for: chance.time(upTo: .seconds(2)))
        node.link.become(.good)
        history.endTrouble(trouble)
    }

    /// Readers come as a forced load begins.
    func readOften(on number: Int) async {
        guard let node = nodes.first(where: { $0.number == number }) else { return }
        for _ in 0..<3 {
            try? await spawner.sleep(for: chance.time(upTo: .milliseconds(20)))
            spawner.spawn { await call(.read, on: node) }
        }
    }

    func changeMoods(until end: MonotonicInstant) async {
        var moods: [SimulatedSource.Mood] = [.failing, .slow, .stuck, .empty, .deaf]
        if mayLoadAlone { moods.append(.uncacheable) }
        while spawner.now() < end {
            try? await spawner.sleep(for: chance.time(upTo: .seconds(10)))
            source.become(chance.pick(moods))
            try? await spawner.sleep(for: chance.time(upTo: .seconds(6)))
            source.become(.good)
        }
    }

    func makeTrouble(until end: MonotonicInstant) async {
        while spawner.now() < end {
            try? await spawner.sleep(for: chance.time(upTo: .seconds(12)))
            let node = chance.pick(nodes)
            let condition = chance.pick(
                [
                    .good, .down, .hanging, .readOnly,
                    .slow(chance.pick([.milliseconds(100), .milliseconds(700), .seconds(2)])),
                    .slow(.milliseconds(400)),
                ] as [Link.Condition]
            )
            let isCut = condition == .good || chance.percent(50)
            var troubles: [Int] = []
            if condition != .good { troubles.append(history.beginTrouble(node.number, "store \(condition)", .store)) }
            if isCut { troubles.append(history.beginTrouble(node.number, "backplane lost", .gap)) }
            node.link.become(condition)
            if isCut { node.channel.become(isLive: false) }
            let lengths: [Duration] = [.milliseconds(50), .seconds(3), .seconds(20)]
            try? await spawner.sleep(for: chance.time(upTo: chance.pick(lengths)))
            node.link.become(.good)
            try? await spawner.sleep(for: chance.time(upTo: .milliseconds(300)))
            if isCut { node.channel.become(isLive: true) }
            for trouble in troubles { history.endTrouble(trouble) }
        }
    }

    /// The store starts again from what it was some moments ago, which a node may notice by the messages first or last.
    func restartStore(until end: MonotonicInstant) async {
        while spawner.now() < end {
            try? await spawner.sleep(for: chance.time(upTo: .seconds(25)))
            let (snapshot, witnesses) = (server.snapshot(), nodes.map(\.number))
            let ages: [Duration] = [.milliseconds(20), .seconds(1), .seconds(5)]
            try? await spawner.sleep(for: chance.time(upTo: chance.pick(ages)))
            // What one did that is no longer there, only those know who have heard of it.
            let present = nodes.filter { witnesses.contains($0.number) }
            if present.isEmpty { continue }
            if present.count > 1, chance.percent(60) {
                let old = chance.pick(present)
                await start(insteadOf: old)
                _ = history.beginTrouble(old.number, "it answers its last callers", .unheardGap)
            }
            let nodes = nodes
            let isHeard = chance.percent(60)
            let troubles = nodes.map { history.beginTrouble($0.number, "the store starts again", .gap) }
            let unheard = isHeard ? [] : nodes.map { history.beginTrouble($0.number, "it does not know", .unheardGap) }
            for node in nodes {
                node.link.become(.down)
                if isHeard { node.channel.become(isLive: false) } else { node.channel.fallSilent() }
            }
            let lost = history.beginTrouble(nil, "the store lacks what came last", .lostWrites)
            server.restart(from: snapshot)
            try? await spawner.sleep(for: chance.time(upTo: chance.pick([.milliseconds(50), .seconds(3)])))
            for (number, (node, trouble)) in zip(nodes, troubles).enumerated() {
                node.link.become(.good)
                try? await spawner.sleep(for: chance.time(upTo: .milliseconds(300)))
                if !isHeard {
                    node.channel.become(isLive: false)
                    history.endTrouble(unheard[number])
                    try? await spawner.sleep(for: chance.time(upTo: .milliseconds(300)))
                }
                node.channel.become(isLive: true)
                history.endTrouble(trouble)
            }
            history.endTrouble(lost)
        }
    }

    /// Processes end and others start; other programs write and delete.
    func interfere(until end: MonotonicInstant) async {
        while spawner.now() < end {
            try? await spawner.sleep(for: chance.time(upTo: .seconds(10)))
            if hasOthers { await write() }
            if chance.percent(10) { await start(insteadOf: chance.pick(nodes)) }
        }
    }

    private func write() async {
        if chance.percent(30) {
            history.note("another program deletes")
            _ = try? await server.del([Self.key])
            return
        }
        let load = history.beginLoad(on: nil)
        history.endLoad(load, .value(load))
        let expiry: CacheOptions.Expiry = chance.percent(30) ? .never : .after(.seconds(chance.pick([1, 10, 100])))
        _ = try? await server.set(Self.key, ByteBuffer(string: "\(load)"), options: CacheOptions(expiry: expiry))
    }
}

extension History.Outcome {
    fileprivate static func of(_ read: FieldRead<Int>) -> Self {
        .value(read.value, read.status, detail: read.detail, isStored: read.isStored)
    }
}
