import Foundation

/// Generated traces, for what recorded ones show too little of.
enum Workload: String, CaseIterable {
    /// Steady popularity by Zipf's law.
    case zipf
    /// Zipf, with a scan of keys never seen again a quarter of the time.
    case scan
    /// Loops, each half again as long as the one before.
    case loop
    /// Zipf and a loop at once.
    case mixed
    /// Zipf whose popular keys change altogether from time to time.
    case shift
    /// Zipf whose popular keys change slowly.
    case drift
    /// Zipf among bursts of keys that are asked for a few times and then never.
    case burst
    /// Loops of 1.05, 1.1 and 1.2 times the cache.
    case loop105, loop110, loop120
    /// Every key twice, a fifth of the cache of new keys later.
    case pairs
    /// Every key three times, three tenths of the cache of new keys later.
    case triples
    /// A loop of nine tenths of the cache five times, then another.
    case phases

    /// What the workloads that are about a size are made for.
    private static let size = 1000

    var capacity: Int? {
        switch self {
        case .zipf, .scan, .loop, .mixed, .shift, .drift, .burst: nil
        case .loop105, .loop110, .loop120, .pairs, .triples, .phases: Self.size
        }
    }

    func keys(count: Int = 400_000, universe: Int = 20_000) -> [UInt64] {
        var random = Generator(state: 0x9E37_79B9_7F4A_7C15)
        let zipf = Zipf(universe, exponent: self == .drift ? 1 : 0.9)
        let elsewhere: UInt64 = 1 << 40
        var fresh = elsewhere
        var burst: [UInt64] = []
        return (0..<count).map { index in
            switch self {
            case .zipf: return zipf.next(&random)
            case .scan:
                guard index / 5000 % 4 == 3 else { return zipf.next(&random) }
                fresh += 1
                return fresh
            case .loop:
                let round = index / 100_000
                let length = Int(1500 * pow(1.5, Double(round)))
                return UInt64(index % length) + UInt64(round) << 20
            case .mixed: return index % 3 == 0 ? elsewhere + UInt64(index / 3 % 4000) : zipf.next(&random)
            case .shift: return zipf.next(&random) + UInt64(index / 50_000 * universe / 2)
            case .drift: return zipf.next(&random) + UInt64(index / 20)
            case .burst:
                if let key = burst.popLast() { return key }
                guard random.next() % 4 == 0 else { return zipf.next(&random) }
                fresh += 1
                burst = Array(repeating: fresh, count: Int(random.next() % 4))
                return fresh
            case .loop105: return UInt64(index % (Self.size * 105 / 100))
            case .loop110: return UInt64(index % (Self.size * 110 / 100))
            case .loop120: return UInt64(index % (Self.size * 120 / 100))
            case .pairs: return elsewhere + UInt64(index / 2) - UInt64(index % 2 * Self.size / 5)
            case .triples: return elsewhere + UInt64(index / 3) - UInt64(index % 3 * Self.size * 3 / 10)
            case .phases:
                let length = Self.size * 9 / 10
                return UInt64(index / (5 * length)) << 20 + UInt64(index % length)
            }
        }
    }
}

private struct Zipf {
    private let cumulative: [Double]

    init(_ count: Int, exponent: Double) {
        var sum = 0.0
        cumulative = (1...count).map {
            sum += pow(Double($0), -exponent)
            return sum
        }
    }

    func next(_ random: inout Generator) -> UInt64 {
        let wanted = Double.random(in: 0..<(cumulative.last ?? 1), using: &random)
        var range = 0..<cumulative.count
        while range.count > 1 {
            let middle = (range.lowerBound + range.upperBound) / 2
            range = cumulative[middle - 1] <= wanted ? middle..<range.upperBound : range.lowerBound..<middle
        }
        return UInt64(range.lowerBound)
    }
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), so that every run plays the same keys.
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
