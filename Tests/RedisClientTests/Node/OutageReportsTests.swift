import NIOCore
import RESP
import Testing

@testable import RedisClient

@Suite struct OutageReportsTests {
    private func failure(_ message: String, _ cause: (any Error)? = nil) -> RedisClientError {
        RedisClientError(.connectFailed, message, underlying: cause)
    }

    @Test func eachReasonIsSaidOnceAnOutageHoweverTheyTakeTurns() {
        var reports = OutageReports()
        let reasons = [
            failure("late"), failure("refused"), failure("refused", RESPError("DENIED protected")),
            failure("refused", RESPError("LOADING")), failure("refused", IOError(errnoCode: 1, reason: "a")),
        ]
        for turn in 0..<3 {
            for reason in reasons {
                let isSaid = reports.take(reason)
                #expect(isSaid == (turn == 0), "\(reason)")
            }
        }
        reports.end()
        let isSaidAnew = reports.take(reasons[1])
        #expect(isSaidAnew)
    }

    @Test func reasonsWithoutEndAreNotAllSaid() {
        var reports = OutageReports()
        let said = (0..<1000).filter { reports.take(failure("attempt \($0)")) }
        #expect(said.count < 50)
    }
}
