import RESP
import Testing

@testable import RedisClient

@Suite struct SentinelViewTests {
    private static func host(_ name: String) -> RedisClient.Configuration.Address { .hostname(name, port: 1) }

    private func answer(
        _ primary: String,
        _ epoch: Int,
        by sentinel: String = "s1",
        others: [String] = []
    ) -> SentinelView.Answer {
        .init(primary: Self.host(primary), epoch: epoch, sentinel: Self.host(sentinel), others: others.map(Self.host))
    }

    @Test func believesTheLatestFailoverAtOnce() {
        var view = SentinelView(sentinels: [Self.host("s1")])
        view.beginRound()
        #expect(view.hear(answer("a", 0, others: ["s2", "s1"])) == true)
        #expect(view.sentinels == [Self.host("s1"), Self.host("s2")])
        #expect(view.hear(answer("b", 3)) == true)
        #expect(view.hear(answer("a", 2)) == false)
        #expect(view.hear(answer("b", 4)) == false)
        #expect(view.primary == Self.host("b"))
        #expect(view.endRound(isLost: true) == false)
    }

    @Test func aSentinelThatMissedAFailoverDoesNotBringTheOldPrimaryBack() {
        var view = SentinelView(sentinels: [])
        view.beginRound()
        _ = view.hear(answer("new", 2))
        view.beginRound()
        #expect(view.hear(answer("old", 1)) == false)
        #expect(view.endRound(isLost: false) == false)
        #expect(view.primary == Self.host("new"))
    }

    @Test func theFirstAnswerOfAllWaitsForOthers() {
        var view = SentinelView(sentinels: ["s1", "s2", "s3"].map(Self.host))
        view.beginRound()
        #expect(view.hear(answer("old", 1)) == false)
        #expect(view.primary == nil)
        #expect(view.hear(answer("new", 2, by: "s2")) == true)
        #expect(view.primary == Self.host("new"))
        #expect(view.hear(answer("old", 1, by: "s3")) == false)
    }

    @Test func oneAnswerIsEnoughWhereNoOtherCame() {
        var view = SentinelView(sentinels: ["s1", "s2", "s3"].map(Self.host))
        view.beginRound()
        #expect(view.hear(answer("a", 1)) == false)
        #expect(view.endRound(isLost: true) == true)
        #expect(view.primary == Self.host("a"))
    }

    @Test func sentinelsThatWereSetUpAnewAreBelievedOnceThePrimaryIsLost() {
        var view = SentinelView(sentinels: ["s1", "s2", "s3"].map(Self.host))
        view.beginRound()
        _ = view.hear(answer("a", 7))
        _ = view.endRound(isLost: true)
        view.beginRound()
        _ = view.hear(answer("b", 0))
        #expect(view.endRound(isLost: true) == false)
        view.beginRound()
        for primary in ["b", "c", "b"] { #expect(view.hear(answer(primary, 0)) == false) }
        #expect(view.endRound(isLost: false) == false)
        #expect(view.endRound(isLost: true) == true)
        #expect(view.primary == Self.host("b"))
    }

    @Test func theMajorityCountsAmongEqualEpochs() {
        var view = SentinelView(sentinels: [])
        view.beginRound()
        _ = view.hear(answer("a", 1))
        _ = view.hear(answer("b", 1))
        #expect(view.endRound(isLost: true) == false)
        view.beginRound()
        for primary in ["a", "b", "b"] { _ = view.hear(answer(primary, 1)) }
        #expect(view.endRound(isLost: false) == true)
        #expect(view.primary == Self.host("b"))
    }

    @Test func forgetsSentinelsThatNobodyNamesAnyLonger() {
        var view = SentinelView(sentinels: [Self.host("s1")])
        view.beginRound()
        _ = view.hear(answer("a", 1, others: ["s2", "s3"]))
        _ = view.endRound(isLost: false)
        #expect(view.sentinels == ["s1", "s2", "s3"].map(Self.host))
        // One that answers is kept though nobody is there to name it, and so is one that was configured.
        view.beginRound()
        _ = view.hear(answer("a", 1, by: "s3", others: ["s4"]))
        _ = view.endRound(isLost: false)
        #expect(view.sentinels.count == 4, "one of three may be the one that is cut off")
        view.beginRound()
        for sentinel in ["s1", "s3", "s4"] { _ = view.hear(answer("a", 1, by: sentinel)) }
        _ = view.endRound(isLost: false)
        #expect(view.sentinels == ["s1", "s3", "s4"].map(Self.host))
        // Nobody answers: nothing is known to be gone.
        view.beginRound()
        _ = view.endRound(isLost: true)
        #expect(view.sentinels.count == 3)
    }

    @Test func readsAnswers() throws {
        func list(_ texts: String...) -> RESPValue { .array(texts.map { .simpleString($0) }) }
        let master = list("name", "main", "config-epoch", "5")
        let others = RESPValue.array([
            list("ip", "h2", "port", "26379"), list("ip", "", "port", "1"), .null, list("ip", "h3", "port", "0"),
            list("ip", "h4", "port", "65536"),
        ])
        let read = try SentinelView.Answer([list("h", "6379"), master, others], from: Self.host("s"))
        #expect(read.primary == .hostname("h", port: 6379) && read.epoch == 5)
        #expect(read.others == [.hostname("h2", port: 26_379)])
        #expect(read.sentinel == Self.host("s"))
        // A user may ask for the address only.
        let secret = RESPValue.error(RESPError("NOPERM no"))
        let little = try SentinelView.Answer([list("h", "6379"), secret, secret], from: Self.host("s"))
        #expect(little.primary == .hostname("h", port: 6379) && little.epoch == 0 && little.others.isEmpty)
        let refused = #expect(throws: RedisClientError.self) {
            try SentinelView.Answer([secret, secret, secret], from: Self.host("s"))
        }
        #expect(refused?.code == .authenticationFailed)
        #expect(refused?.hint?.contains("+sentinel|get-master-addr-by-name") == true)
        let unknown = #expect(throws: RedisClientError.self) {
            try SentinelView.Answer([.null, .error(RESPError("ERR No such master")), others], from: Self.host("s"))
        }
        #expect(unknown?.code == .connectFailed)
        for replies in [[], [list("h", "x"), master, others], [list("h", "1"), list(), others]] {
            let error = #expect(throws: RedisClientError.self) {
                try SentinelView.Answer(replies, from: Self.host("s"))
            }
            #expect(error?.code == .protocolViolation)
        }
    }
}
