import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

extension OverProcesses {
    /// Figures for `docs/benchmarks.md`, as JSON lines:
    ///
    ///     FRESHET_MEASURE=1 FRESHET_EXECUTABLE=…/release/freshet swift test --filter Measurements
    @Suite("Measurements", .enabled(if: ProcessInfo.processInfo.environment["FRESHET_MEASURE"] != nil))
    struct Measurements {
        @Test("loads per ten thousand waiters on four nodes")
        func loads() async throws {
            let (waiters, rounds) = (10_000, 5)
            let fleet = try await ServiceFleet(nodes: 4)
            let connections = try await WireConnection.open(waiters) { fleet.nodes[$0 % 4].port }
            var times: [Duration] = []
            for round in 1...rounds {
                #expect(try await fleet.nodes[round % 4].ask(.DELETE).status == 204)
                fleet.source.isBlocked = true
                let questions = connections.map { $0.send(.GET, ServiceFleet.Node.path) }
                for question in questions { try await question.isSent.get() }
                #expect(await eventually { fleet.source.loads >= round })
                let start = ContinuousClock.now
                fleet.source.release()
                for question in questions { #expect(try await question.1.get().status == 200) }
                times.append(ContinuousClock.now - start)
            }
            print(
                """
                {"case":"cold key on four nodes","waiters":\(waiters),"rounds":\(rounds),\
                "loads":\(fleet.source.loads),"lastAnswerMs":\(Self.milliseconds(times.sorted()[rounds / 2]))}
                """
            )
        }

        @Test("time from a removal on one node to the last stale read on another")
        func staleness() async throws {
            let rounds = 300
            let fleet = try await ServiceFleet(nodes: 2)
            let reader = try await WireConnection.open(port: fleet.nodes[1].port)
            let remover = try await WireConnection.open(port: fleet.nodes[0].port)
            // Of the last read that got the old value: when it was sent, after the removal was sent and after it was
            // answered.
            var (sinceSent, sinceAnswered): ([Duration], [Duration]) = ([], [])
            for round in 1...rounds {
                _ = try await remover.ask(.GET, ServiceFleet.Node.path)
                let old = CountingSource.body(round)
                #expect(try await eventually { try await reader.ask(.GET, ServiceFleet.Node.path).body == old })
                fleet.source.version = round + 1
                let isRunning = NIOLockedValueBox(false)
                let reading = Task {
                    var last = ContinuousClock.now
                    while true {
                        let sent = ContinuousClock.now
                        guard try await reader.ask(.GET, ServiceFleet.Node.path).body == old else { return last }
                        last = sent
                        isRunning.withLockedValue { $0 = true }
                    }
                }
                #expect(await eventually { isRunning.withLockedValue { $0 } })
                let sent = ContinuousClock.now
                #expect(try await remover.ask(.DELETE, ServiceFleet.Node.path).status == 204)
                let answered = ContinuousClock.now
                let last = try await reading.value
                sinceSent.append(last - sent)
                sinceAnswered.append(last - answered)
            }
            for (name, times) in [("sent", sinceSent), ("answered", sinceAnswered)] {
                let sorted = times.sorted()
                print(
                    """
                    {"case":"last stale read after a removal was \(name)","rounds":\(rounds),\
                    "p50Ms":\(Self.milliseconds(sorted[rounds / 2])),"p99Ms":\(Self.milliseconds(sorted[rounds * 99 / 100])),\
                    "maxMs":\(Self.milliseconds(sorted[rounds - 1])),"late":\(times.count { $0 > .zero })}
                    """
                )
            }
        }

        /// To a hundredth.
        private static func milliseconds(_ time: Duration) -> Double { (time / .milliseconds(1) * 100).rounded() / 100 }
    }
}
