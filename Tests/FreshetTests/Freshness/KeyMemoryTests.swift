import Testing

@testable import Freshet

@Suite("Key memory")
struct KeyMemoryTests {
    private func at(_ seconds: Int) -> MonotonicInstant { .distantPast + .seconds(seconds) }

    @Test("a key is remembered until its end, or until it is forgotten")
    func ends() {
        var memory = KeyMemory<Int>()
        memory.remember(1, of: "a", until: at(10), at: at(0))
        memory.change("a") { $0 += 1 }
        memory.change("b") { $0 += 1 }
        #expect(memory.value(of: "a", at: at(9)) == 2)
        #expect(memory.value(of: "a", at: at(10)) == nil)
        #expect(memory.value(of: "b", at: at(0)) == nil)
        #expect(memory.remember(3, of: "a", until: at(10), at: at(0)) == [2])
        #expect(memory.forget("a") == [3])
        #expect(memory.forget("a").isEmpty)
        #expect(memory.value(of: "a", at: at(9)) == nil)
    }

    @Test("it holds so many keys and no more; what is over goes first, then what will be over first")
    func bounded() {
        var memory = KeyMemory<Int>(capacity: 100)
        for number in 0..<100 { memory.remember(number, of: "short-\(number)", until: at(1), at: at(0)) }
        let former = memory.remember(0, of: "long", until: at(100_000), at: at(2))
        #expect(Set(former).isSuperset(of: 0..<100))
        #expect(memory.count == 1)
        for number in 0..<10_000 {
            memory.remember(number, of: "\(number)", until: at(3 + number), at: at(2))
            #expect(memory.count <= 100)
        }
        #expect(memory.value(of: "long", at: at(2)) == 0)
        #expect(memory.value(of: "9999", at: at(2)) == 9999)
        #expect(memory.value(of: "0", at: at(2)) == nil)
    }
}
