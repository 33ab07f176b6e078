import NIOCore
import RESP
import TestSupport
import Testing

@testable import UpstashClient

@Suite struct WaitingLineTests {
    private static let limits = try? UpstashClient.Configuration(url: "https://h", token: "t")

    private func job(_ commands: RESPCommand..., alone: Bool = false) throws -> Job {
        try job(try pieces(commands), alone: alone)
    }

    private func job(_ pieces: [Piece], alone: Bool) throws -> Job {
        let job = Job(
            try #require(pieces.first),
            then: pieces.dropFirst(),
            isPipeline: true,
            deadline: .distantFuture
        )
        if alone { job.sendAlone() }
        return job
    }

    private func pieces(_ commands: [RESPCommand]) throws -> [Piece] {
        RequestPlan(commands, limits: try #require(Self.limits)).pieces
    }

    private func line(
        _ jobs: [Job],
        _ change: (inout UpstashClient.Configuration) -> Void = { _ in }
    ) throws -> WaitingLine {
        let inbox = Inbox(limit: .max)
        for job in jobs { _ = try inbox.put(job) }
        var limits = try #require(Self.limits)
        change(&limits)
        var line = WaitingLine(limits, inbox: inbox)
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

    @Test("a request may be as large as is allowed, and not a byte larger", arguments: [0, 1])
    func fillsRequests(missing: Int) throws {
        let jobs = try (0..<3).map { _ in try job(RESPCommand("GET", "a")) }
        // With two commas and two brackets.
        let size = jobs.reduce(4) { $0 + $1.piece.body.readableBytes }
        var line = try line(jobs) { $0.maxRequestBytes = size - missing }
        #expect(line.next(sharing: true).count == 3 - missing)
    }

    @Test("the parts of a pipeline that are still to come keep others waiting")
    func countsWhatIsStillToCome() throws {
        let binary = ByteBuffer(bytes: [0xFF])
        let pipeline = try job(RESPCommand("SET", "a", binary), RESPCommand("SET", "b", "1"))
        for failures in 0..<2 { #expect(pipeline.countFailure() == failures) }
        let read = try job(RESPCommand("GET", "b"))
        var line = try self.line([pipeline])
        let ticket = line.depart(line.next(sharing: true))
        line.append(read)
        #expect(line.next(sharing: true).isEmpty)
        line.arrive(ticket)
        #expect(pipeline.advance([.simpleString("OK")]) == nil)
        #expect(pipeline.countFailure() == 0, "they are counted for each part")
        line.putBack([pipeline])
        #expect(line.next(sharing: true).map { $0 === pipeline } == [true, false])
        #expect(pipeline.advance([.integer(1)]) == [.simpleString("OK"), .integer(1)])
    }

    @Test("nothing shares a request with the first part of a pipeline if it has to come after a later part")
    func doesNotOvertakeWhatIsStillToCome() throws {
        let binary = ByteBuffer(bytes: [0xFF])
        let pipeline = try job(RESPCommand("SET", "a", "1"), RESPCommand("SET", "b", binary))
        let jobs = [try job(RESPCommand("GET", "b")), try job(RESPCommand("GET", "a"))]
        var line = try self.line([pipeline] + jobs)
        let first = line.next(sharing: true)
        #expect(first.map(ObjectIdentifier.init) == [pipeline, jobs[1]].map(ObjectIdentifier.init))
        let ticket = line.depart(first)
        #expect(line.next(sharing: true).isEmpty)
        line.arrive(ticket)
        #expect(pipeline.advance([.simpleString("OK")]) == nil)
        line.putBack([pipeline])
        let second = line.depart(line.next(sharing: true))
        #expect(line.next(sharing: true).isEmpty)
        line.arrive(second)
        #expect(line.next(sharing: true).map { $0 === jobs[0] } == [true])
    }

    @Test("what waits for nobody but jobs that have ended may leave")
    func letsGoWhatWaitsForNobody() throws {
        let jobs = [
            try job(RESPCommand("SET", "a", "1")), try job(RESPCommand("GET", "a"), RESPCommand("SET", "b", "1")),
            try job(RESPCommand("GET", "b")),
        ]
        var line = try self.line([jobs[0]])
        _ = line.depart(line.next(sharing: true))
        for job in jobs.dropFirst() { line.append(job) }
        #expect(line.next(sharing: true).isEmpty)
        jobs[1].cancel()
        line.reconsider([jobs[1]])
        #expect(line.next(sharing: true).map { $0 === jobs[2] } == [true])
    }

    @Test("what was cancelled on its way is waited for only if it writes")
    func letsGoWhatWaitsForNobodyOnItsWay() throws {
        let underWay = [try job(RESPCommand("GET", "a")), try job(RESPCommand("SET", "b", "1"))]
        var line = try self.line(underWay)
        _ = line.depart(line.next(sharing: true))
        #expect(underWay.allSatisfy { $0.join() })
        let write = try job(RESPCommand("SET", "a", "1"))
        for job in [write, try job(RESPCommand("GET", "b"))] { line.append(job) }
        #expect(line.next(sharing: true).isEmpty)
        for job in underWay { job.cancel() }
        line.reconsider(underWay)
        #expect(line.next(sharing: true).map { $0 === write } == [true])
    }

    @Test("nothing more is sent of a pipeline that was cancelled on its way, and nothing waits for it")
    func letsGoWhatWaitsForNothing() throws {
        let pipeline = try job(RESPCommand("SET", "a", ByteBuffer(bytes: [0xFF])), RESPCommand("SET", "b", "1"))
        let later = [try job(RESPCommand("GET", "b")), try job(RESPCommand("GET", "a"))]
        var line = try self.line([pipeline])
        _ = line.depart(line.next(sharing: true))
        #expect(pipeline.join())
        for job in later { line.append(job) }
        #expect(line.next(sharing: true).isEmpty)
        pipeline.cancel()
        line.reconsider([pipeline])
        #expect(line.next(sharing: true).map { $0 === later[0] } == [true])
        // Of its request nothing was sent after all.
        pipeline.wasNotSent()
        line.reconsider([pipeline])
        #expect(line.next(sharing: true).map { $0 === later[1] } == [true])
    }

    @Test("each piece of a pipeline that is alone leaves without a look at all that come later")
    func looksAtNothingForNobody() throws {
        let command = RESPCommand("SET", "a", "1")
        let piece = try Piece(command, limits: try #require(Self.limits))
        let count = 10_000
        let pipeline = try job(Array(repeating: piece, count: count), alone: false)
        var line = try self.line([pipeline])
        var departures = 0
        let time = ContinuousClock().measure {
            while departures < count {
                let batch = line.next(sharing: true)
                guard batch.count == 1 else { return }
                departures += 1
                line.arrive(line.depart(batch))
                if pipeline.advance([]) == nil { line.putBack(batch) }
            }
        }
        #expect(departures == count)
        // Looks at fifty million commands would take far longer.
        #expect(time < .seconds(10))
    }

    @Test func dropsThoseWhoDoNotWaitAnyLonger() throws {
        let jobs = [try job(RESPCommand("SET", "a", "1")), try job(RESPCommand("GET", "a"))]
        var line = try self.line(jobs)
        jobs[0].cancel()
        #expect(line.next(sharing: true).map { $0 === jobs[1] } == [true])
    }

    /// All that may leave, in whatever number of goes they are found.
    private func all(_ line: inout WaitingLine) -> [Job] {
        var jobs: [Job] = []
        repeat { jobs += line.next(sharing: true) } while line.hasMore
        return jobs
    }

    @Test("those who wait keep only those waiting that depend on them, however many they are")
    func looksBeyondAllWhoWait() throws {
        let hanging = try job(RESPCommand("SET", "hang", "1"))
        var line = try self.line([hanging])
        _ = line.depart(line.next(sharing: true))
        for number in 0..<5000 {
            line.append(try job(RESPCommand(number.isMultiple(of: 100) ? "INCR" : "GET", "hang")))
        }
        let write = try job(RESPCommand("SET", "a", "1"))
        line.append(write)
        // In several goes, none of which takes long.
        #expect(line.next(sharing: true).isEmpty && line.hasMore)
        #expect(all(&line).map { $0 === write } == [true])
        let ticket = line.depart([write])
        let read = try job(RESPCommand("GET", "a"))
        line.append(read)
        #expect(all(&line).isEmpty)
        line.arrive(ticket)
        #expect(all(&line).map { $0 === read } == [true])
    }

    @Test("of many who wait none is looked at again and again", .timeLimit(.minutes(5)), arguments: [2, 1000])
    func looksAtEachAFewTimes(keyCount: Int) throws {
        let count = 10_000
        let hanging = try job(RESPCommand("SET", "hang", "1"))
        var line = try self.line([hanging]) { $0.maxCommandsPerRequest = 10 }
        _ = line.depart(line.next(sharing: true))
        let keys = ["hang"] + (0..<keyCount).map { "k\($0)" }
        let choices = try keys.map { key in try ["GET", "GET", "INCR"].map { try pieces([RESPCommand($0, key)]) } }
        for number in 0..<count {
            let key = number.isMultiple(of: 2) ? 0 : 1 + number / 2 % keyCount
            line.append(try job(choices[key][number % 3], alone: false))
        }
        var answered = 0
        while true {
            let batch = all(&line)
            guard !batch.isEmpty else { break }
            let ticket = line.depart(batch)
            // It takes long: others are looked for meanwhile.
            let other = all(&line)
            let otherTicket = line.depart(other)
            answered += batch.count + other.count
            line.arrive(ticket)
            line.arrive(otherTicket)
        }
        #expect(answered == count / 2)
        #expect(line.comparisons < 5 * count)
    }

    @Test("a message does not wait for writes that came later, nor they for it")
    func letsWritesOvertakeAMessage() throws {
        let hanging = try job(RESPCommand("SET", "hang", "1"))
        let message = try job(RESPCommand("PUBLISH", "c", "1"))
        var line = try self.line([hanging])
        let first = line.depart(line.next(sharing: true))
        line.append(message)
        let next = [try job(RESPCommand("SET", "a", "1")), try job(RESPCommand("PUBLISH", "c", "2"))]
        for job in next { line.append(job) }
        #expect(line.next(sharing: true).map { $0 === next[0] } == [true])
        _ = line.depart([next[0]])
        line.arrive(first)
        // The second one follows the write between them, which is still under way.
        #expect(line.next(sharing: true).map { $0 === message } == [true])
    }

    /// Of one command or three. Some are not text, so that there are several pieces.
    private func randomPipeline(_ random: inout SplitMix64) -> [RESPCommand] {
        (0..<(Bool.random(using: &random) ? 1 : 3)).map { _ in
            let key = "k\(Int.random(in: 0..<6, using: &random))"
            return switch Int.random(in: 0..<40, using: &random) {
            case 0: RESPCommand("FLUSHDB")
            case 1...2: RESPCommand("MGET", key, "k0")
            case 3: RESPCommand("PUBLISH", key, "m")
            case 4...15: RESPCommand("SET", key, "v")
            case 16...23: RESPCommand("SET", key, ByteBuffer(bytes: [0xFF]))
            default: RESPCommand("GET", key)
            }
        }
    }

    @Test("what has left is not kept by those who still know of it")
    func forgetsWhatHasLeft() throws {
        let job = try job(RESPCommand("SET", "a", "1"), RESPCommand("SET", "b", ByteBuffer(bytes: [0xFF])))
        let inbox = Inbox(limit: 1)
        _ = try inbox.put(job)
        #expect(job.unfinished.count == 2)
        inbox.left(job)
        #expect(job.unfinished.isEmpty && job.piece.body.readableBytes == 0)
    }

    @Test(arguments: 0..<20)
    func keepsTheOrderUnderAnySchedule(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let pipelines = try (0..<200).map { _ in try pieces(randomPipeline(&random)) }
        let jobs = try pipelines.map { try job($0, alone: Int.random(in: 0..<5, using: &random) == 0) }
        let numbers = Dictionary(uniqueKeysWithValues: jobs.enumerated().map { (ObjectIdentifier($1), $0) })
        /// What each job still has to do, piece by piece.
        var unfinished = pipelines.map { $0.map(\.footprint) }
        var line = try self.line([])
        var arrived = 0
        var underWay: [(ticket: WaitingLine.Ticket, numbers: [Int])] = []
        while !unfinished.allSatisfy(\.isEmpty) {
            switch Int.random(in: 0..<3, using: &random) {
            case 0 where arrived < jobs.count:
                line.append(jobs[arrived])
                arrived += 1
            case 1 where underWay.count < 8:
                let batch = line.next(sharing: Bool.random(using: &random))
                let own = batch.compactMap { numbers[ObjectIdentifier($0)] }
                // All that was asked for earlier and that a piece depends on has been answered, or is before it in the
                // same request.
                for (place, number) in own.enumerated() {
                    for earlier in 0..<number {
                        let left = unfinished[earlier].dropFirst(own[..<place].contains(earlier) ? 1 : 0)
                        let isOvertaken = left.contains { unfinished[number][0].depends(on: $0) }
                        #expect(!isOvertaken, "\(number) overtook \(earlier)")
                    }
                }
                if !batch.isEmpty { underWay.append((line.depart(batch), own)) }
            default:
                guard !underWay.isEmpty else { continue }
                let (ticket, own) = underWay.remove(at: .random(in: underWay.indices, using: &random))
                line.arrive(ticket)
                var onward = own
                if Int.random(in: 0..<4, using: &random) > 0 {
                    for number in own { unfinished[number].removeFirst() }
                    onward = own.filter { jobs[$0].advance([]) == nil }
                }
                line.putBack(onward.map { jobs[$0] })
            }
        }
    }
}

extension Piece {
    fileprivate var footprint: Footprint {
        var footprint = Footprint()
        footprint.insert(commands)
        return footprint
    }
}
