import BoundedCache
import TestSupport
import Testing

/// Random operations beside a dictionary that is told of every departure: at each step both must agree.
@Suite struct ModelTests {
    struct Setting: CustomTestStringConvertible, Sendable {
        var limit: Int
        var isWeighted = false
        var expires = false
        var idles = false
        var keys = 300
        var testDescription: String {
            "\(limit) weighted \(isWeighted) expires \(expires) idles \(idles) keys \(keys)"
        }
    }

    static let settings = [
        Setting(limit: 1), Setting(limit: 100), Setting(limit: 100, expires: true),
        Setting(limit: 2000, isWeighted: true), Setting(limit: 1500, isWeighted: true, expires: true),
        Setting(limit: 45, isWeighted: true, keys: 20), Setting(limit: 60, isWeighted: true, expires: true, keys: 8),
        Setting(limit: 150, expires: true, idles: true),
        Setting(limit: 9000, expires: true, keys: 12_000),
        Setting(limit: 40_000, isWeighted: true, expires: true, keys: 6000),
    ]

    @Test(arguments: settings, [1, 2, 3] as [UInt64])
    func agreesWithADictionary(_ setting: Setting, _ seed: UInt64) throws {
        var play = ModelPlay(setting, seed: seed)
        try play.run(steps: 90_000)
    }
}

/// A key whose equality is not identity: equal keys differ in `label`.
struct LooseKey: Hashable {
    let number: Int
    let label: Int
    static func == (left: Self, right: Self) -> Bool { left.number == right.number }
    func hash(into hasher: inout Hasher) { hasher.combine(number & 0xFFF7) }
}

struct ModelPlay {
    struct Held: Equatable {
        var value: Int
        var weight: Int
        var deadline: Duration
        var idleDeadline: Duration
    }

    let setting: ModelTests.Setting
    let clock = ManualClock()
    let departed = Departed()
    let cache: BoundedCache<LooseKey, [Int]>
    var random: SplitMix64
    var model: [Int: Held] = [:]
    var serial = 0

    static let never = Duration.seconds(1 << 40)
    static let idle = Duration.milliseconds(300)

    final class Departed: @unchecked Sendable {
        var events: [(Int, Int, EvictionCause)] = []
    }

    struct Disagreement: Error { let line: Int, detail: String }

    /// As `#require`, which costs more than the operations it would check.
    private func demand(_ holds: Bool, _ detail: @autoclosure () -> String = "", line: Int = #line) throws {
        if !holds { throw Disagreement(line: line, detail: detail()) }
    }

    init(_ setting: ModelTests.Setting, seed: UInt64) {
        self.setting = setting
        random = SplitMix64(seed: seed)
        let departed = departed
        cache = BoundedCache(
            .init(
                capacity: setting.isWeighted
                    ? .weight(setting.limit) { _, value in Self.weight(of: value[0]) } : .entries(setting.limit),
                timeToIdle: setting.idles ? Self.idle : nil,
                clock: CacheClock(clock),
                evictionListener: { departed.events.append(($0.number, $1[0], $2)) }
            )
        )
    }

    static func weight(of value: Int) -> Int { value % 1000 == 999 ? 1_000_000 : value % 40 }

    var now: Duration { clock.now.offset }

    mutating func run(steps: Int) throws {
        for step in 0..<steps {
            try operate()
            try reconcile()
            let limit = setting.limit
            try demand(cache.count <= (setting.isWeighted ? .max : limit) && cache.totalWeight <= limit)
            try demand(cache.count == model.count, "after step \(step)")
            if step % 4096 == 0 { try compareAll() }
        }
        try compareAll()
        #expect(cache.totalWeight == model.values.reduce(0) { $0 + $1.weight })
    }

    private mutating func operate() throws {
        // Squared, so that some keys are asked for often.
        let share = Double.random(in: 0..<1, using: &random)
        let number = Int(share * share * Double(setting.keys))
        let key = LooseKey(number: number, label: serial)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<50:
            let expected = read(number, touches: true)
            try demand(cache.get(key)?.first == expected)
        case 50..<55:
            let expected = read(number, touches: false)
            try demand(cache.peek(key)?.first == expected)
        case 55..<80: try set(key)
        case 80..<86:
            let expected = read(number, touches: false)
            try demand(cache.remove(key)?.first == expected)
        case 86..<94: try update(key)
        case 94..<98 where setting.expires:
            clock.advance(by: .milliseconds(Int.random(in: 0..<40, using: &random)))
        case 98 where Int.random(in: 0..<50, using: &random) == 0:
            switch Int.random(in: 0..<3, using: &random) {
            case 0: cache.removeAll()
            case 1:
                cache.resize(to: setting.limit / 3)
                try reconcile()
                try demand(cache.totalWeight <= setting.limit / 3)
                cache.resize(to: setting.limit)
            default: cache.sweep()
            }
        default: break
        }
    }

    private func isLive(_ held: Held) -> Bool { held.deadline > now && held.idleDeadline > now }

    private mutating func read(_ number: Int, touches: Bool) -> Int? {
        guard let held = model[number], isLive(held) else { return nil }
        if touches, setting.idles {
            let deadline = now + Self.idle
            model[number]?.idleDeadline = deadline
        }
        return held.value
    }

    private func life() -> Duration? {
        setting.expires && serial % 3 != 0 ? .milliseconds(serial % 500) : nil
    }

    private mutating func set(_ key: LooseKey) throws {
        serial += 1
        let life = life()
        let wasLive = model[key.number].map(isLive) ?? false
        let outcome = cache.set(key, [serial], timeToLive: life)
        let weight = setting.isWeighted ? Self.weight(of: serial) : 1
        if weight > setting.limit {
            try demand(outcome == .oversized)
        } else if life == .zero {
            try demand(outcome == .expired)
        } else {
            try demand(outcome == (wasLive ? .replaced : .inserted))
            try hold(
                key.number,
                Held(
                    value: serial,
                    weight: weight,
                    deadline: life.map { now + $0 } ?? Self.never,
                    idleDeadline: idleDeadline
                )
            )
        }
    }

    private var idleDeadline: Duration { setting.idles ? now + Self.idle : Self.never }

    /// Stores in the model what the cache says it holds, once the old value's departure was noted.
    private mutating func hold(_ number: Int, _ held: Held) throws {
        try reconcile()
        try demand(model[number] == nil, "the old value departed")
        model[number] = held
    }

    private mutating func update(_ key: LooseKey) throws {
        serial += 1
        let expected = read(key.number, touches: false)
        let old = model[key.number]
        let (value, life) = (serial, life())
        let weight = setting.isWeighted ? Self.weight(of: value) : 1
        let action = Int.random(in: 0..<5, using: &random)
        do {
            let seen = try cache.update(key) { draft in
                let seen = draft.value?.first
                switch action {
                case 0: draft.value = nil
                case 4 where draft.value != nil: draft.value?[0] = value
                default: draft.value = [value]
                }
                if action == 1 { draft.timeToLive = life }
                return seen
            }
            try demand(seen == expected)
            guard action != 0, action != 1 || life != .zero else { return }
            // Changed in place, the old value did not depart.
            if action == 4, expected != nil { model[key.number] = nil }
            let kept = expected == nil ? Self.never : old?.deadline ?? Self.never
            let deadline = action == 1 ? life.map { now + $0 } ?? Self.never : kept
            try hold(
                key.number,
                Held(value: value, weight: weight, deadline: deadline, idleDeadline: idleDeadline)
            )
        } catch let error as BoundedCacheError {
            try demand(error.code == .oversized && weight > setting.limit && action != 0)
            // Then the entry is dropped, with the value that was too heavy.
            if action == 4, expected != nil { model[key.number]?.value = value }
        }
    }

    /// Takes out of the model what the cache said went, and checks that it had a reason to.
    private mutating func reconcile() throws {
        for (number, value, cause) in departed.events {
            let held = try #require(model[number], "\(number) left without having been there")
            model[number] = nil
            try demand(held.value == value)
            try demand((cause == .expired) == !isLive(held), "\(cause) at \(now): \(held)")
        }
        departed.events.removeAll(keepingCapacity: true)
    }

    private func compareAll() throws {
        let snapshot = cache.snapshot()
        let live = model.filter { isLive($0.value) }
        try demand(snapshot.count == live.count)
        for entry in snapshot {
            let held = try #require(live[entry.key.number])
            try demand(held.value == entry.value[0] && held.weight == entry.weight)
        }
    }
}
