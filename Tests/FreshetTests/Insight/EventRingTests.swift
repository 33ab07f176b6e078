import Testing

@testable import Freshet

@Suite("Event ring")
struct EventRingTests {
    private func event(_ number: Int, _ kind: FieldEvent.Kind? = nil) -> FieldEvent {
        let other: FieldEvent.Kind = number.isMultiple(of: 2) ? .undecodable : .lease(.granted)
        return FieldEvent(kind ?? other, at: MonotonicInstant(nanoseconds: Int64(number)))
    }

    @Test("keeps the last so many, oldest first", arguments: [0, 1, 3, 4, 5, 9])
    func keeps(count: Int) {
        var ring = EventRing(capacity: 4)
        for number in 0..<count { ring.add(event(number)) }
        #expect(ring.events.map { Int($0.at.nanoseconds) } == Array((0..<count).suffix(4)))
    }

    @Test("those alike in a row are one, with what is told of the last", arguments: [1, 4, 6])
    func alike(before: Int) {
        var ring = EventRing(capacity: 4)
        for number in 0..<before { ring.add(event(number)) }
        for number in 0..<10_000 { ring.add(event(100 + number, .settled(hasChanged: true))) }
        #expect(ring.events.count == min(before + 1, 4))
        #expect(ring.events.last?.count == 10_000)
        #expect(ring.events.last?.at.nanoseconds == 10_099)
    }
}
