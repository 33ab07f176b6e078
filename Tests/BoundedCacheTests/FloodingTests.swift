import Testing

@testable import BoundedCache

/// Keys made to collide under hashes that multiply: what they share must not show in the hash.
@Suite struct FloodingTests {
    static let families: [(String, @Sendable (Int) -> String)] = [
        ("one digit in a thousand", { String(repeating: "0", count: 1000) + String($0, radix: 36) }),
        ("the first of two words", { pad($0) + "00000000" }),
        ("the last of two words", { "00000000" + pad($0) }),
        ("the same in both words", { pad($0) + pad($0) }),
        ("opposites in both words", { pad($0) + pad(0xFFFF - $0) }),
        ("the high half of a word", { "0000" + pad($0).suffix(4) + "00000000" }),
        ("the first block of many", { pad($0) + String(repeating: "a", count: 64) }),
        ("length", { String(repeating: "a", count: $0 % 4096) + pad($0) }),
    ]

    private static func pad(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    @Test(arguments: families.indices) func structuredKeysSpread(_ family: Int) {
        let hasher = KeyHasher()
        let count = 1 << 16
        let hashes = Set((0..<count).map { hasher.hash(Self.families[family].1($0)) })
        // Chance has half a collision in 2^32.
        #expect(hashes.count > count - 16, "\(Self.families[family].0)")
        let homes = Set(hashes.map { $0 >> 16 })
        #expect(homes.count > count / 2, "chance fills 63 % of as many places")
    }

    @Test func integersSpread() {
        let hasher = KeyHasher()
        for shift in [0, 16, 32, 47] {
            let hashes = Set((0..<(1 << 16)).map { hasher.hash($0 << shift) })
            #expect(hashes.count > (1 << 16) - 16)
        }
    }

    /// What collides in one cache does not in another.
    @Test func everyCacheHasItsOwnSeed() {
        let (one, other) = (KeyHasher(), KeyHasher())
        var first: [UInt32: Int] = [:]
        var colliding: [(Int, Int)] = []
        for number in 0..<400_000 {
            let hash = one.hash("key-\(number)")
            if let earlier = first[hash] { colliding.append((earlier, number)) }
            first[hash] = number
        }
        #expect(!colliding.isEmpty)
        #expect(colliding.allSatisfy { other.hash("key-\($0.0)") != other.hash("key-\($0.1)") })
    }

    /// Else whoever chooses keys could have all of them looked through for each.
    @Test func spellingsOfOneTextHaveHashesOfTheirOwn() {
        let hasher = KeyHasher()
        let hashes = (0..<1024).map { spelling in
            let letters = (0..<10).map { spelling >> $0 & 1 == 0 ? "\u{E9}" : "e\u{301}" }
            return hasher.hash(ExactKey(letters.joined()))
        }
        #expect(Set(hashes).count > 1000)
    }
}
