import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite struct InFlightTests {
    /// Replies to one that was given up, before and after that, are none of the next one's.
    @Test func aPipelineGetsItsOwnReplies() async throws {
        let queue = NIOLockedValueBox(ReplyQueue())
        func receive(_ value: Int) {
            var values = [RESPValue.integer(value)]
            _ = queue.withLockedValue { $0.receive(&values, counter: ReplyCounter()) { _ in } }
        }
        func pipeline(_ token: UInt64, of count: Int) async -> Task<[RESPValue], any Error> {
            let task = Task {
                try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<[RESPValue], any Error>) in
                    queue.withLockedValue {
                        $0.append(
                            Waiter(
                                token: token,
                                deadline: .distantFuture,
                                replies: count,
                                completion: .pipeline(continuation)
                            )
                        )
                    }
                }
            }
            #expect(await eventually { !queue.withLockedValue { $0.isEmpty } })
            return task
        }
        let first = await pipeline(1, of: 2)
        receive(1)
        queue.withLockedValue { $0.detach(token: 1, throwing: RedisClientError(.timedOut, "late")) }
        await #expect(throws: RedisClientError.self) { try await first.value }
        receive(2)
        let second = await pipeline(2, of: 1)
        receive(3)
        #expect(try await second.value == [.integer(3)])
    }

    @Test func theAnswerToAQuestionIsDueAtOnce() {
        var queue = ReplyQueue()
        queue.append(Waiter(token: 1, deadline: .distantFuture, completion: .probe))
        #expect(queue.isOverdue(at: .now()))
        #expect(!queue.isOverdue(at: .now(), isRoutine: true))
        queue.append(Waiter(token: 2, deadline: .now(), completion: .detached))
        #expect(queue.isOverdue(at: .now(), isRoutine: true))
    }

    @Test func whatWasLostWithAConnectionIsInFlightNoMore() async throws {
        let server = try await ScriptedServer.start { $0[0] == "SET" ? nil : $0[0] == "ECHO" ? "" : "+OK\r\n" }
        var configuration = RedisClient.configuration(port: server.port)
        configuration.maxInFlight = 1
        let client = RedisClient(configuration, logger: Logger(label: "test"))
        await #expect(throws: RedisClientError.self) { try await client.execute(RESPCommand("SET", "a", "1")) }
        // The first waits for the next connection, and counts all the same.
        for _ in 0..<2 { #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK") }
        let waiting = Task.immediate { try await clientError { try await client.execute(RESPCommand("ECHO", "a")) } }
        #expect(try await clientError { try await client.execute(RESPCommand("GET", "a")) }?.code == .overloaded)
        waiting.cancel()
        #expect(try await waiting.value?.code == .cancelled)
    }
}
