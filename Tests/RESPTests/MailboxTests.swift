import NIOConcurrencyHelpers
import Testing

@testable import RESP

private struct Letters: MailboxContents {
    var letters: [String] = []

    mutating func take() -> String? { letters.isEmpty ? nil : letters.removeFirst() }
}

@Suite struct MailboxTests {
    private struct Refused: Error {}

    @Test func whoHasWaitedLongestGetsWhatComesNext() async {
        let mailbox = Mailbox<Letters, Never>(Letters())
        // They wait from here on.
        let readers = (0..<3).map { _ in Task.immediate { await mailbox.next() } }
        for letter in ["a", "b", "c", "d"] { mailbox.change { $0.letters.append(letter) } }
        var read: [String?] = []
        for reader in readers { read.append(await reader.value) }
        #expect(read == ["a", "b", "c"])
        #expect(await mailbox.next() == "d")
    }

    @Test func allAreToldOfTheEnd() async throws {
        let mailbox = Mailbox<Letters, any Error>(Letters())
        let ends = NIOLockedValueBox(0)
        mailbox.onEnd { ends.withLockedValue { $0 += 1 } }
        let readers = (0..<2).map { _ in Task.immediate { try await mailbox.next() } }
        mailbox.finish(throwing: Refused())
        mailbox.finish()
        for reader in readers { await #expect(throws: Refused.self) { try await reader.value } }
        mailbox.change { $0.letters.append("a") }
        // What there is comes first.
        #expect(try await mailbox.next() == "a")
        await #expect(throws: Refused.self) { try await mailbox.next() }
        mailbox.onEnd { ends.withLockedValue { $0 += 1 } }
        #expect(ends.withLockedValue { $0 } == 2)
    }

    @Test func aCancelledReaderTakesNothingFromOthers() async {
        let mailbox = Mailbox<Letters, Never>(Letters())
        let leaves = Task.immediate { await mailbox.next() }
        let stays = Task.immediate { await mailbox.next() }
        leaves.cancel()
        #expect(await leaves.value == nil)
        mailbox.change { $0.letters.append("a") }
        #expect(await stays.value == "a")
    }
}
