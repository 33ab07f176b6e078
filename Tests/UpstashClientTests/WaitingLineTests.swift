import NIOCore
import RESP
import Testing

@testable import UpstashClient

@Suite struct WaitingLineTests {
    private static let limits = try? UpstashClient.Configuration(url: "https://h", token: "t")

    private func job(_ commands: RESPCommand..., alone: Bool = false) throws -> Job {
        let limits = try #require(Self.limits)
        let pieces = try RequestPlan.pieces(commands, limits: limits)
        let job = Job(
            try #require(pieces.first),
            then: pieces.dropFirst(),
            isPipeline: true,
            deadline: .distantFuture
        )
        if alone { job.sendAlone() }
        return job
    }

    private func line(_ jobs: [Job]) throws -> WaitingLine {
        let inbox = Inbox(limit: .max)
        for job in jobs { _ = try inbox.put(job) }
        var line = WaitingLine(try #require(Self.limits), inbox: inbox)
        for job in jobs { line.append(job) }
        return line
    }

    @Test func letsOnlyOvertakeWhatHasNothingToDoWithIt() throws {
        let write = try job(RESPCommand("SET", "a", "1"))
        let jobs = [
            try job(RESPCommand("GET", "a")), try job(RESPCommand("SET", "b", "1"), RESPCommand("GET", "a")),
            try job(RESPCommand("GET", "b")), try job(RESPCommand("GET", "c")),
        ]
        var line = try self.line([write] + jobs)
        #expect(line.next(sharing: true).count == 5)
        line = try self.line([write])
        let ticket = line.depart(line.next(sharing: true))
        for job in jobs { line.append(job) }
        #expect(line.next(sharing: false).isEmpty)
        // Reading b would overtake the job that writes it, which waits for a.
        #expect(line.next(sharing: true).map { $0 === jobs[3] } == [true])
        #expect(line.next(sharing: true).isEmpty)
        line.arrive(ticket)
        #expect(line.next(sharing: true).count == 3)
    }

    @Test("what goes by itself waits for the request before it, and others wait for it")
    func keepsTheOrderOfAllForms() throws {
        let jobs = [
            try job(RESPCommand("SET", "a", "1")), try job(RESPCommand("GET", "a"), alone: true),
            try job(RESPCommand("SET", "a", "2")), try job(RESPCommand("GET", "b"), alone: true),
        ]
        var line = try self.line(jobs)
        let first = line.depart(line.next(sharing: true))
        #expect(line.next(sharing: false).isEmpty)
        #expect(line.next(sharing: true).map { $0 === jobs[3] } == [true])
        line.arrive(first)
        let second = line.depart(line.next(sharing: true))
        #expect(line.next(sharing: true).isEmpty)
        line.arrive(second)
        #expect(line.next(sharing: true).map { $0 === jobs[2] } == [true])
    }

    @Test("the parts of a pipeline that are still to come keep others waiting")
    func countsWhatIsStillToCome() throws {
        let binary = ByteBuffer(bytes: [0xFF])
        let pipeline = try job(RESPCommand("SET", "a", binary), RESPCommand("SET", "b", "1"))
        let read = try job(RESPCommand("GET", "b"))
        var line = try self.line([pipeline])
        let ticket = line.depart(line.next(sharing: true))
        line.append(read)
        #expect(line.next(sharing: true).isEmpty)
        line.arrive(ticket)
        #expect(pipeline.advance([.simpleString("OK")]) == nil)
        line.putBack([pipeline])
        #expect(line.next(sharing: true).map { $0 === pipeline } == [true, false])
        #expect(pipeline.advance([.integer(1)]) == [.simpleString("OK"), .integer(1)])
    }

    @Test func dropsThoseWhoDoNotWaitAnyLonger() throws {
        let jobs = [try job(RESPCommand("SET", "a", "1")), try job(RESPCommand("GET", "a"))]
        var line = try self.line(jobs)
        jobs[0].cancel()
        #expect(line.next(sharing: true).map { $0 === jobs[1] } == [true])
    }

    @Test(arguments: 0..<20)
    func keepsTheOrderUnderAnySchedule(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let jobs = try (0..<400).map { _ in
            let key = "k\(Int.random(in: 0..<6, using: &random))"
            let command =
                switch Int.random(in: 0..<20, using: &random) {
                case 0: RESPCommand("FLUSHDB")
                case 1: RESPCommand("MGET", key, "k0")
                case 2...10: RESPCommand("SET", key, "v")
                default: RESPCommand("GET", key)
                }
            return try job(command, alone: Int.random(in: 0..<5, using: &random) == 0)
        }
        let footprints = jobs.map { Footprint(CollectionOfOne($0)) }
        let numbers = Dictionary(uniqueKeysWithValues: jobs.enumerated().map { (ObjectIdentifier($1), $0) })
        var line = try self.line([])
        var arrived = 0
        var underWay: [(ticket: WaitingLine.Ticket, numbers: [Int])] = []
        var finished = Set<Int>()
        while finished.count < jobs.count {
            switch Int.random(in: 0..<3, using: &random) {
            case 0 where arrived < jobs.count:
                line.append(jobs[arrived])
                arrived += 1
            case 1 where underWay.count < 8:
                let batch = line.next(sharing: Bool.random(using: &random))
                let own = batch.compactMap { numbers[ObjectIdentifier($0)] }
                // All earlier ones on which one of these depends are answered, or before it in the same request.
                for (place, number) in own.enumerated() {
                    for earlier in 0..<number where footprints[number].conflicts(with: footprints[earlier]) {
                        let isBefore = finished.contains(earlier) || own[..<place].contains(earlier)
                        #expect(isBefore, "\(number) overtook \(earlier)")
                    }
                }
                if !batch.isEmpty { underWay.append((line.depart(batch), own)) }
            default:
                guard !underWay.isEmpty else { continue }
                let (ticket, own) = underWay.remove(at: .random(in: underWay.indices, using: &random))
                line.arrive(ticket)
                if Int.random(in: 0..<4, using: &random) == 0 {
                    line.putBack(own.map { jobs[$0] })
                } else {
                    finished.formUnion(own)
                }
            }
        }
    }
}

/// Xorshift64*, so that a failure can be repeated.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = (seed &+ 1) &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
