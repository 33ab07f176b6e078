import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct ClusterSurveyTests {
    private typealias Address = RedisClient.Configuration.Address

    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let nodes = (1...24).map { Address.hostname("h", port: $0) }

    private func map(_ slots: ClosedRange<Int>) -> SlotMap {
        SlotMap([.init(slots: slots, shard: .init(primary: nodes[0]))])
    }

    @Test func silentNodesAreNotWaitedFor() async {
        let whole = map(0...16_383)
        let speaker = nodes[2]
        let survey = ClusterSurvey(eventLoop: eventLoop, patience: .milliseconds(1)) { [eventLoop] address in
            if address == speaker { return whole }
            await eventLoop.pause(.hours(1))
            throw CancellationError()
        }
        let findings = await survey.run(nodes)
        #expect(findings.map == whole)
        #expect(findings.late.isSuperset(of: nodes[..<2]) && !findings.late.contains(speaker))
    }

    @Test func onlyAFewAreAskedAtOnce() async {
        struct Counts {
            var total = 0
            var current = 0
            var most = 0
        }
        let counts = NIOLockedValueBox(Counts())
        let survey = ClusterSurvey(eventLoop: eventLoop, patience: .milliseconds(1)) { [eventLoop] _ in
            counts.withLockedValue { counts in
                counts.total += 1
                counts.current += 1
                counts.most = max(counts.most, counts.current)
            }
            _ = await eventually { counts.withLockedValue { $0.total } >= ClusterSurvey.maxAskedAtOnce }
            // Time enough for one too many.
            await eventLoop.pause(.milliseconds(50))
            counts.withLockedValue { $0.current -= 1 }
            throw RedisClientError(.timedOut, "late")
        }
        let findings = await survey.run(nodes)
        #expect(counts.withLockedValue { $0.most } == ClusterSurvey.maxAskedAtOnce)
        #expect(counts.withLockedValue { $0.total } == nodes.count)
        #expect(findings.map == nil && findings.failure.code == .timedOut && findings.late == Set(nodes))
    }

    @Test func aRefusalOfOneNodeIsNotThatOfAll() async {
        func reason(_ answers: any Error...) async -> RedisClientError.Code {
            let survey = ClusterSurvey(eventLoop: eventLoop, patience: .hours(1)) { [nodes] address in
                throw answers[nodes.firstIndex(of: address) ?? 0]
            }
            return await survey.run(Array(nodes[..<answers.count])).failure.code
        }
        let (forbidden, busy) = (RESPError("NOPERM x"), RESPError("BUSY x"))
        let away = RedisClientError(.connectionLost, "away")
        #expect(await reason(forbidden, away) == .authenticationFailed)
        #expect(await reason(away, forbidden) == .authenticationFailed)
        // Whoever may not ask hears nothing else.
        #expect(await reason(forbidden, busy, away) == .connectFailed)
        #expect(await reason(busy, away, forbidden) == .connectFailed)
        // Whoever was late may be in time the next time.
        let late = RedisClientError(.timedOut, "late")
        #expect(await reason(late, away) == .timedOut)
        #expect(await reason(away, late) == .timedOut)
        let lockedOut = RedisClientError(.authenticationFailed, "locked out")
        #expect(await reason(lockedOut, late) == .authenticationFailed)
    }

    @Test func aPartIsBelievedOnlyUntilMoreIsKnown() async {
        let asked = NIOLockedValueBox<[Address]>([])
        func run(_ answers: SlotMap...) async -> ClusterSurvey.Findings {
            asked.withLockedValue { $0 = [] }
            let survey = ClusterSurvey(eventLoop: eventLoop, patience: .hours(1)) { address in
                let number = asked.withLockedValue { asked in
                    asked.append(address)
                    return asked.count
                }
                return answers[min(number, answers.count) - 1]
            }
            return await survey.run(nodes)
        }
        #expect(await run(map(0...7), map(0...16_383)).map == map(0...16_383))
        #expect(asked.withLockedValue { $0 } == Array(nodes[..<2]))
        #expect(await run(map(0...7), map(0...9), map(0...8)).map == map(0...9))
        #expect(asked.withLockedValue { $0 } == Array(nodes[..<3]))
    }
}
