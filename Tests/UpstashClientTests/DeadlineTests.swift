import NIOCore
import RESP
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
}
