import Freshet
import FreshetRedis
import Testing

@Suite struct InvalidationMessageTests {
    @Test(arguments: [InvalidationMessage.Action.fill, .expire, .remove])
    func isReadAsItWasWritten(_ action: InvalidationMessage.Action) {
        for key in ["agents", "a b  c ", "ñ\r\n", "{eu}:x", "\u{301}x", "\u{1B}r\r\u{301}\u{1B}"] {
            for mark in [nil, "c5e"] {
                let message = InvalidationMessage(generation: "0f", action: action, leaseMark: mark, key: key)
                #expect(InvalidationMessage(payload: message.payload) == message)
                #expect(!message.payload.utf8.contains { $0 == 0x0D || $0 == 0x0A })
            }
        }
    }

    @Test(arguments: ["", "x", "x fill", "x fill -", "x fill - ", "x fill  key", " fill - key", "x burn - key", "fill"])
    func whatIsNoneIsNil(_ payload: String) {
        #expect(InvalidationMessage(payload: payload) == nil)
    }

    @Test func isAnEventOfTheBackplane() {
        let generation = Generation("g")
        let events = [InvalidationMessage.Action.fill, .expire, .remove]
            .map { InvalidationMessage(generation: "g", action: $0, leaseMark: "c5e", key: "k").event }
        #expect(
            events == [
                .changed(key: "k", .filled(under: "c5e"), generation),
                .changed(key: "k", .invalidated(.expire), generation),
                .changed(key: "k", .invalidated(.remove), generation),
            ]
        )
    }
}
