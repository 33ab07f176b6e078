import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite struct TokenSearchTests {
    @Test func findsWhatIsThere() {
        let tokens: CircularBuffer<UInt64> = [5, 6, 8, 12, 20]
        for (index, token) in tokens.enumerated() {
            let found = tokens.firstIndex(ofToken: token, by: { $0 })
            #expect(found == tokens.index(tokens.startIndex, offsetBy: index))
        }
        for absent: UInt64 in [0, 7, 21, .max] {
            #expect(tokens.firstIndex(ofToken: absent, by: { $0 }) == nil)
        }
        #expect(CircularBuffer<UInt64>().firstIndex(ofToken: 1, by: { $0 }) == nil)
    }

    @Test func doesNotSearchLongerForWhatIsMissing() {
        let tokens = CircularBuffer((UInt64(1)...10_000).map { $0 * $0 })
        var looks = 0
        for token in stride(from: UInt64(0), to: 10_000 * 10_000, by: 1_000_000) {
            _ = tokens.firstIndex(ofToken: token) { token in
                looks += 1
                return token
            }
        }
        #expect(looks < 100 * 20)
    }

    /// Callers on many threads overtake each other on their way into a queue.
    @Test func tokensAreInTheOrderOfTheQueue() async throws {
        let node = RedisNode(
            configuration: RedisClient.configuration(port: 1),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test")
        )
        try await withThrowingTaskGroup(of: RedisClientError.Code?.self) { group in
            for _ in 0..<5000 {
                group.addTask {
                    try await clientError { try await node.run(RESPCommand("PING"), deadline: .distantFuture) }?.code
                }
            }
            #expect(await eventually { node.state.withLockedValue { $0.offline.count } == 5000 })
            let tokens = node.state.withLockedValue { $0.offline.entries.map(\.waiter.token) }
            #expect(zip(tokens, tokens.dropFirst()).allSatisfy(<))
            // Each is found.
            group.cancelAll()
            for try await code in group { #expect(code == .cancelled) }
        }
        #expect(node.state.withLockedValue { $0.offline.count } == 0)
        await node.close()
    }
}
