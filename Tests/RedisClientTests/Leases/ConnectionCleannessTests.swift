import RESP
import Testing

@testable import RedisClient

@Suite struct ConnectionCleannessTests {
    /// Whose `EXEC` ended whose `MULTI` is known only where one waits for the other.
    @Test(arguments: [true, false]) func aTransactionAmongOthersSpoils(isAlone: Bool) {
        var cleanness = ConnectionCleanness()
        let other = CommandKinds([RESPCommand("GET", "a")])
        let transaction = CommandKinds([RESPCommand("MULTI"), RESPCommand("EXEC")])
        if !isAlone { cleanness.send(other) }
        cleanness.send(transaction)
        if !isAlone { cleanness.receive([.null], for: other) }
        cleanness.receive([.simpleString("OK"), .array([])], for: transaction)
        #expect(cleanness.isClean == isAlone)
    }
}
