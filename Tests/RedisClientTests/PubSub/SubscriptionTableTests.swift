import RESP
import Testing

@testable import RedisClient

@Suite struct SubscriptionTableTests {
    @Test func subscribesOnceAndUnsubscribesAtTheEnd() {
        var table = SubscriptionTable()
        let a = SubscriptionTarget.channel("a")
        let b = SubscriptionTarget.pattern("b")
        #expect(table.add(1, [a]).new == [a])
        #expect(table.add(2, [a, b]).new == [b])
        #expect(table.confirm(a) == [.subscribed(1)])
        #expect(table.confirm(b) == [.subscribed(2)])
        #expect(table.add(3, [a]) == ([], true))
        #expect(table.remove(1) == [])
        #expect(table.remove(2) == [b])
        #expect(table.remove(3) == [a])
        #expect(table.remove(3) == [])
    }

    @Test func tellsChannelsApartByTheirBytes() {
        var table = SubscriptionTable()
        let composed = SubscriptionTarget.channel("caf\u{e9}")
        let decomposed = SubscriptionTarget.channel("cafe\u{301}")
        #expect(table.add(1, [composed]).new.count == 1)
        #expect(table.add(2, [decomposed]).new.count == 1)
        #expect(table.add(3, [composed, decomposed]).new.isEmpty)
        #expect(table.listeners(of: composed) == [1, 3])
        #expect(table.listeners(of: decomposed) == [2, 3])
        #expect(table.confirm(decomposed) == [.subscribed(2)])
    }

    @Test func tellsOfTheGapOnlyThoseWhoWereListening() {
        var table = SubscriptionTable()
        let a = SubscriptionTarget.channel("a")
        let b = SubscriptionTarget.channel("b")
        _ = table.add(1, [a])
        _ = table.confirm(a)
        _ = table.add(2, [a, b])
        #expect(table.add(3, [a]).isComplete)
        #expect(Set(table.disconnect()) == [1, 3])
        // Lost again before everything was confirmed: one gap.
        #expect(table.disconnect() == [])
        #expect(Set(table.targets) == [a, b])
        #expect(!table.add(4, [a]).isComplete, "it has yet to be subscribed to")
        let ends = table.confirm(a)
        #expect(ends.count == 3 && [.resubscribed(1), .resubscribed(3), .subscribed(4)].allSatisfy(ends.contains))
        #expect(table.confirm(b) == [.subscribed(2)])
    }
}
