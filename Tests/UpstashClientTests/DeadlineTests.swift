import NIOCore
import RESP
import TestSupport
import Testing

@testable import UpstashClient

@Suite struct DeadlineTests {
    private func job(until deadline: NIODeadline) throws -> Job {
        let configuration = try UpstashClient.Configuration(url: "https://h", token: "t")
        let piece = try Piece(RESPCommand("SET", "k", "v"), limits: configuration)
        return Job(piece, isPipeline: false, deadline: deadline)
    }

    @Test("what was cancelled is remembered until its deadline, but not what has left")
    func waitsForWhatWasCancelled() throws {
        let times = (1...3).map { NIODeadline.uptimeNanoseconds($0) }
        let jobs = try times.map(job)
        var deadlines = Deadlines()
        #expect(jobs.map { deadlines.add($0) } == [times[0], nil, nil])
        jobs[1].cancel()
        jobs[2].cancel()
        jobs[2].clear()
        var overdue: [Job] = []
        #expect(deadlines.sweep(at: times[0]) { overdue.append($0) } == times[1])
        #expect(deadlines.sweep(at: times[1]) { overdue.append($0) } == nil)
        #expect(overdue.map(ObjectIdentifier.init) == jobs[..<2].map(ObjectIdentifier.init))
    }

    @Test("what is overdue is handed over once and in time, in whatever order it came", arguments: 0..<20)
    func findsTheEarliest(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var deadlines = Deadlines()
        var jobs: [Job] = []
        for _ in 0..<500 {
            let job = try job(until: .uptimeNanoseconds(UInt64.random(in: 1...300, using: &random)))
            jobs.append(job)
            _ = deadlines.add(job)
            if Bool.random(using: &random) { job.clear() }
        }
        var time = jobs.map(\.deadline).min()
        while let now = time {
            var overdue: [Job] = []
            time = deadlines.sweep(at: now) { overdue.append($0) }
            let expected = jobs.filter { $0.deadline <= now && !$0.hasLeft }
            #expect(overdue.count == expected.count)
            #expect(Set(overdue.map(ObjectIdentifier.init)) == Set(expected.map(ObjectIdentifier.init)))
            for job in overdue { job.clear() }
            #expect(time == jobs.filter { !$0.hasLeft }.map(\.deadline).min())
        }
        #expect(!jobs.contains { !$0.hasLeft })
    }

    @Test("of many that get no answer none is looked at again and again")
    func looksAtEachAFewTimes() throws {
        let count = 4096
        var deadlines = Deadlines()
        for time in 1...count { _ = deadlines.add(try job(until: .uptimeNanoseconds(UInt64(time)))) }
        for time in 1...count {
            var overdue = 0
            let next = deadlines.sweep(at: .uptimeNanoseconds(UInt64(time))) { _ in overdue += 1 }
            #expect(overdue == 1)
            #expect(next == (time < count ? .uptimeNanoseconds(UInt64(time) + 1) : nil))
        }
        // Each is compared with two on each of twelve levels, at most.
        #expect(deadlines.comparisons < 3 * 12 * count)
    }
}
