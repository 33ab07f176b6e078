import NIOCore
import RESP
import Testing

@testable import RedisClient

@Suite struct HashSlotTests {
    /// As `CLUSTER KEYSLOT` of a real server says.
    @Test(arguments: [
        ("", 0), ("a", 15_495), ("foo", 12_182), ("123456789", 12_739), ("{user1000}.following", 3443),
        ("foo{}{bar}", 8363), ("{user1000}.followers", 3443), ("foo{{bar}}zap", 4015), ("foo{bar}{zap}", 5061),
    ])
    func isThatOfTheServer(key: String, slot: Int) {
        #expect(HashSlot.of(.string(key)) == slot)
        #expect(HashSlot.of(.bytes(ByteBuffer(string: key))) == slot)
    }

    @Test func numbersHashAsTheirDigits() {
        #expect(HashSlot.of(.integer(123_456_789)) == 12_739)
    }
}
