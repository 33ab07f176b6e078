import TestSupport
import Testing

@testable import UpstashClient

@Suite struct PlacesTests {
    @Test(arguments: [1, 40, 1000])
    func staysInOrder(bound: Int) {
        var random = SplitMix64(seed: 7)
        var places = Places()
        var expected: Set<Int> = []
        for _ in 0..<8 * bound {
            let place = Int.random(in: -bound...bound, using: &random)
            if expected.remove(place) != nil {
                places.remove(place)
            } else if Bool.random(using: &random) {
                expected.insert(place)
                places.insert(place)
            } else {
                // It is not there.
                places.remove(place)
            }
            #expect(places.isEmpty == expected.isEmpty)
            let before = Int.random(in: -bound - 1...bound + 1, using: &random)
            #expect(places.last(before: before) == expected.filter { $0 < before }.max())
        }
    }
}
