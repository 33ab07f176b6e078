import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

/// One after the other: thousands of tasks beside each other would only wait for each other.
@Suite(.serialized, .timeLimit(.minutes(3))) struct RobustnessTests {
    @Test func aTimeoutFreesOneCallerOnly() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await client.connect()
        server.pause()
        async let patient = client.execute(RESPCommand("ECHO", "patient"))
        let error = try await clientError {
            try await client.execute(RESPCommand("ECHO", "hasty"), timeout: .milliseconds(30))
        }
        #expect(error?.code == .timedOut)
        #expect(error?.mayHaveExecuted == true)
        server.resume()
        #expect(try await patient.string == "patient")
        // The late reply was dropped, not given to somebody else.
        #expect(try await client.execute(RESPCommand("ECHO", "next")).string == "next")
        #expect(try await client.execute(RESPCommand("CLIENT", "LIST")).string?.split(separator: "\n").count == 1)
    }

    /// The server may be at work on what was sent first, and answers nothing else meanwhile.
    @Test func whoHasNoTimeLeftHarmsNobodyBeforeHim() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.commandTimeout = .milliseconds(50) }
        try await client.connect()
        server.pause()
        let patient = ["first", "second"].map { text in
            // A write, so that it is not sent again where the connection is lost.
            Task.immediate { try await client.execute(RESPCommand("APPEND", "key", text), timeout: .seconds(60)) }
        }
        // For longer than it takes to give up a server whose time is over.
        for timeout in [50, 1200] {
            let error = try await clientError {
                try await client.execute(RESPCommand("GET", "key"), timeout: .milliseconds(timeout))
            }
            #expect(error?.code == .timedOut)
        }
        server.resume()
        #expect(try await patient[0].value.integer == 5)
        #expect(try await patient[1].value.integer == 11)
    }

    @Test func whoIsCancelledBeforeSendsNothing() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await client.connect()
        let error = await Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try? await clientError { try await client.execute(RESPCommand("INCR", "counter")) }
        }.value
        #expect(error?.code == .cancelled)
        #expect(error?.mayHaveExecuted == false)
        #expect(try await client.execute(RESPCommand("GET", "counter")) == .null)
    }

    @Test func cancellationFreesOneOfThousands() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await client.connect()
        server.pause()
        let count = 10_000
        let outcomes = try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
            let victim = Task { try await client.execute(RESPCommand("ECHO", "victim")) }
            for index in 0..<count {
                group.addTask {
                    let reply = try await client.execute(RESPCommand("ECHO", "\(index)"))
                    return (index, reply.string == "\(index)")
                }
            }
            victim.cancel()
            let error = try await clientError { try await victim.value }
            #expect(error?.code == .cancelled)
            server.resume()
            return try await group.reduce(into: 0) { $0 += $1.1 ? 1 : 0 }
        }
        #expect(outcomes == count)
    }

    @Test func cancellationOfThousandsFreesAllOfThem() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await client.connect()
        server.pause()
        let codes = await withTaskGroup(of: RedisClientError.Code?.self) { group in
            for index in 0..<2000 {
                group.addTask {
                    let command = RESPCommand("ECHO", "\(index)")
                    return try? await clientError { try await client.execute(pipeline: [command, command]) }?.code
                }
            }
            group.cancelAll()
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        #expect(codes == [.cancelled: 2000])
        server.resume()
        #expect(try await client.execute(RESPCommand("ECHO", "after"), timeout: .seconds(30)).string == "after")
    }

    @Test func strangeRepliesOfScriptsHarmNobodyElse() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let id = try await client.execute(RESPCommand("CLIENT", "ID")).integer
        let scripts = [
            "local t = {} for i = 1, 1000 do t = {t} end return t",
            "return redis.status_reply(string.rep('x', 70000))",
            "return redis.error_reply('ERR ' .. string.rep('x', 70000))",
            "redis.setresp(3) return {big_number = 'hello'}",
            "redis.setresp(3) return {double = 0/0}",
            "redis.setresp(3) return {verbatim_string = {format = '\\255', string = 'x'}}",
        ]
        let replies = try await client.execute(pipeline: scripts.map { RESPCommand("EVAL", $0, 0) })
        var innermost = replies[0]
        while let array = innermost.array { innermost = array[0] }
        #expect(innermost.error?.text == "ERR the reply is nested deeper than 64 levels")
        #expect(replies[1].string?.utf8.count == 70_000)
        #expect(replies[2].error?.text.utf8.count == 70_004)
        #expect(replies[3] == .bigNumber("hello"))
        #expect(replies[4].double?.isNaN == true)
        #expect(replies[5].string == "x")
        #expect(try await client.execute(RESPCommand("CLIENT", "ID")).integer == id)
    }

    @Test func bothLimitsRefuseWithAnError() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.maxInFlight = 10
            $0.maxQueuedOffline = 5
        }
        try await client.connect()
        server.pause()
        let first = Task.immediate { try await client.execute(RESPCommand("PING")) }
        let tooMany = try await clientError {
            try await client.execute(pipeline: Array(repeating: RESPCommand("PING"), count: 10))
        }
        #expect(tooMany?.code == .overloaded)
        #expect(tooMany?.mayHaveExecuted == false)
        server.resume()
        #expect(try await first.value.string == "PONG")
        // Places are free again once the replies have come, and one pipeline alone may be as long as it likes.
        for _ in 0..<5 {
            #expect(try await client.execute(pipeline: Array(repeating: RESPCommand("PING"), count: 11)).count == 11)
        }
        await server.stop()
        #expect(await eventually { !client.isConnected })
        // One pipeline alone may be as long as it likes, but nothing fits behind it.
        let commands = Array(repeating: RESPCommand("PING"), count: 6)
        let waiting = Task.immediate { try await clientError { try await client.execute(pipeline: commands) } }
        let offline = try await clientError { try await client.execute(RESPCommand("PING")) }
        #expect(offline?.code == .overloaded)
        await client.close()
        #expect(try await waiting.value?.code == .closed)
    }

    @Test func memoryStaysBoundedWhileThereIsNoServer() async throws {
        let server = try await RedisServer.start()
        await server.stop()
        let client = RedisClient(server) { $0.maxBufferedBytes = 100_000 }
        func set(_ size: Int) -> Task<RedisClientError.Code?, any Error> {
            let command = RESPCommand("SET", "key", ByteBuffer(repeating: 1, count: size))
            return Task.immediate { try await clientError { try await client.execute(command) }?.code }
        }
        let large = set(200_000)
        #expect(try await set(1).value == .overloaded)
        large.cancel()
        #expect(try await large.value == .cancelled)
        let waiting = [set(60_000), set(30_000)]
        #expect(try await set(20_000).value == .overloaded)
        let pipeline = Array(repeating: RESPCommand("ECHO", String(repeating: "x", count: 1000)), count: 20)
        #expect(try await clientError { try await client.execute(pipeline: pipeline) }?.code == .overloaded)
        await client.close()
        for task in waiting { #expect(try await task.value == .closed) }
    }

    @Test func memoryStaysBoundedWhenTheServerStopsReading() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) { $0.maxBufferedBytes = 4 << 20 }
        try await client.connect()
        proxy.faults.stopsReading = true
        let value = ByteBuffer(repeating: 1, count: 100_000)
        let codes = await withTaskGroup(of: RedisClientError.Code?.self) { group in
            for index in 0..<400 {
                group.addTask {
                    try? await clientError {
                        try await client.execute(RESPCommand("SET", "\(index)", value), timeout: .seconds(2))
                    }?.code
                }
            }
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        // 40 MB were to be sent; what fits into the sockets and the limit timed out, the rest was refused.
        #expect(codes[.overloaded, default: 0] > 200)
        #expect(
            codes[.overloaded, default: 0] + codes[.timedOut, default: 0] + codes[.connectionLost, default: 0] == 400
        )
        proxy.faults = .init()
        #expect(await eventually { (try? await client.execute(RESPCommand("ECHO", "again")))?.string == "again" })
    }

    @Test func survivesKillsUnderLoad() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await client.connect()
        let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
            let stop = Task { try await Task.sleep(for: .seconds(60)) }
            for task in 0..<16 {
                group.addTask {
                    var wrong = 0
                    var round = 0
                    while !stop.isCancelled, !Task.isCancelled {
                        round += 1
                        let text = "\(task) \(round)"
                        do {
                            if try await client.execute(RESPCommand("ECHO", text)).string != text { wrong += 1 }
                        } catch let error as RedisClientError {
                            if error.code != .connectionLost { wrong += 1 }
                        } catch let error as RESPError {
                            if error.code != .loading { wrong += 1 }
                        }
                    }
                    return wrong
                }
            }
            for _ in 0..<3 {
                try await server.restart()
                // A write that the end of the connection overtook is not repeated.
                #expect(await eventually { (try? await client.execute(RESPCommand("SET", "alive", "yes"))) != nil })
            }
            stop.cancel()
            return try await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }

    @Test func repeatsOnlyWhatIsSafe() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port)
        try await client.execute(RESPCommand("SET", "n", 0))
        proxy.faults.swallowsReplies = true
        async let reading = client.execute(RESPCommand("GET", "n"))
        async let writing = clientError { try await client.execute(RESPCommand("INCR", "n")) }
        let direct = RedisClient(server)
        #expect(try await eventually { try await direct.execute(RESPCommand("GET", "n")).integer == 1 })
        // "$1\r\n0\r\n" and ":1\r\n".
        #expect(await eventually { proxy.swallowedBytes == 11 })
        proxy.faults = .init()
        proxy.cut()
        #expect(try await reading.string == "1")
        let error = try await writing
        #expect(error?.code == .connectionLost)
        #expect(error?.mayHaveExecuted == true)
        #expect(try await direct.execute(RESPCommand("GET", "n")).integer == 1)
    }

    @Test func noticesAPeerThatVanished() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) {
            $0.commandTimeout = .milliseconds(100)
            // Not by its silence, but as soon as a reply is overdue.
            $0.keepAliveInterval = .seconds(3600)
        }
        try await client.connect()
        let before = proxy.acceptedCount
        proxy.faults.swallowsReplies = true
        proxy.faults.swallowsRequests = true
        let error = try await clientError { try await client.execute(RESPCommand("PING")) }
        #expect(error?.code == .timedOut)
        // The connection is still open, but given up.
        #expect(await eventually { proxy.acceptedCount > before })
        proxy.faults = .init()
        // What was swallowed of the next comes no more.
        proxy.cut()
        #expect(try await client.execute(RESPCommand("ECHO", "back"), timeout: .seconds(20)).string == "back")
    }

    /// Its answer comes behind all that it still has to read.
    @Test(arguments: [Duration.milliseconds(50), .seconds(60)])
    func keepsAServerThatTakesALongUpload(timeout: Duration) async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) {
            // The time for a sign of life: the upload takes twice as long.
            $0.commandTimeout = .seconds(2)
            $0.keepAliveInterval = .seconds(1)
        }
        try await client.connect()
        proxy.faults.pauseOfReading = .milliseconds(80)
        let upload = RESPCommand("SET", "large", ByteBuffer(repeating: 1, count: 10 << 20))
        async let outcome = clientError { try await client.execute(upload, timeout: timeout) }
        // Whose turn comes before and whose behind it is not known.
        for number in 1...3 {
            let reply = try await client.execute(RESPCommand("INCR", "n"), timeout: .seconds(60))
            #expect(reply.integer == number)
        }
        #expect(try await outcome?.code == (timeout < .seconds(1) ? .timedOut : nil))
        let length = try await client.execute(RESPCommand("STRLEN", "large"), timeout: .seconds(60))
        #expect(length.integer == 10 << 20)
        #expect(proxy.acceptedCount == 1)
    }

    /// Whatever is submitted meanwhile, and accepted by the system of the other side.
    @Test func noticesAServerThatStopsInTheMiddleOfAnUpload() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) {
            $0.commandTimeout = .milliseconds(50)
            $0.keepAliveInterval = .seconds(3600)
        }
        #expect(await eventually { (try? await client.connect()) != nil })
        proxy.faults.stopsReading = true
        let upload = RESPCommand("SET", "large", ByteBuffer(repeating: 1, count: 10 << 20))
        #expect(try await clientError { try await client.execute(upload) }?.code == .timedOut)
        let isGivenUp = try await eventually {
            _ = try await clientError { try await client.execute(RESPCommand("PING")) }
            return proxy.acceptedCount > 1
        }
        #expect(isGivenUp)
    }

    @Test func noticesAnIdlePeerThatVanished() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) {
            $0.commandTimeout = .milliseconds(100)
            $0.keepAliveInterval = .milliseconds(50)
        }
        try await client.connect()
        proxy.faults.swallowsReplies = true
        #expect(await eventually { proxy.acceptedCount > 1 })
    }

    @Test func aKeepAliveIntervalOfDaysIsTaken() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.keepAliveInterval = .seconds(7 * 24 * 3600) }
        try await client.connect()
    }

    @Test func keepsASlowServer() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) { $0.keepAliveInterval = .milliseconds(20) }
        try await client.connect()
        proxy.faults.delay = .milliseconds(500)
        for _ in 0..<5 {
            let error = try await clientError {
                try await client.execute(RESPCommand("PING"), timeout: .milliseconds(20))
            }
            #expect(error?.code == .timedOut)
        }
        proxy.faults = .init()
        #expect(try await client.execute(RESPCommand("ECHO", "slow")).string == "slow")
        #expect(proxy.acceptedCount == 1)
    }

    @Test func tellsWhenNobodyListens() async throws {
        let server = try await RedisServer.start()
        await server.stop()
        let client = RedisClient(server) { $0.commandTimeout = .milliseconds(50) }
        #expect(try await clientError { try await client.connect() }?.code == .connectFailed)
        let error = try await clientError { try await client.execute(RESPCommand("SET", "a", 1)) }
        #expect(error?.code == .timedOut)
        #expect(error?.mayHaveExecuted == false)
        #expect((error?.underlying as? RedisClientError)?.code == .connectFailed)
    }

    @Test func givesUpOnAServerThatSaysNothing() async throws {
        let server = try await RedisServer.start()
        server.pause()
        let client = RedisClient(server) { $0.connectTimeout = .milliseconds(100) }
        #expect(try await clientError { try await client.connect() }?.code == .connectFailed)
        let task = Task { try await client.connect() }
        task.cancel()
        #expect(try await clientError { try await task.value } != nil)
        server.resume()
        #expect(try await client.execute(RESPCommand("ECHO", "awake")).string == "awake")
    }

    @Test func closesAfterTheLastReply() async throws {
        let server = try await RedisServer.start()
        let (client, other) = (RedisClient(server), RedisClient(server))
        try await other.execute(RESPCommand("CLIENT", "PAUSE", "60000", "WRITE"))
        async let last = client.execute(RESPCommand("SET", "last", "1"))
        let isUnderWay = await eventually {
            (try? await other.execute(RESPCommand("INFO", "clients")).string)?.contains("blocked_clients:1") ?? false
        }
        #expect(isUnderWay)
        let closing = Task { await client.close() }
        // Closing has begun when the next command is refused.
        let refused = await eventually {
            (try? await clientError { try await client.execute(RESPCommand("PING"), timeout: .milliseconds(5)) })?.code
                == .closed
        }
        #expect(refused)
        try await other.execute(RESPCommand("CLIENT", "UNPAUSE"))
        #expect(try await last == .simpleString("OK"))
        await closing.value
        #expect(try await clientError { try await client.execute(RESPCommand("PING")) }?.code == .closed)
        #expect(try await clientError { try await client.connect() }?.code == .closed)
    }

    @Test func tellsOfConnectionsMadeAndLost() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        var events = client.connectionEvents.makeAsyncIterator()
        try await client.connect()
        #expect(await events.next() == .connected)
        try await server.restart()
        #expect(await events.next() == .disconnected)
        #expect(await events.next() == .connected)
        await client.close()
        #expect(await events.next() == .disconnected)
        #expect(await events.next() == nil)
    }

    @Test func endsWhenNobodyHoldsIt() async throws {
        let server = try await RedisServer.start()
        let observer = RedisClient(server)
        func connections() async throws -> Int {
            try await observer.execute(RESPCommand("CLIENT", "LIST")).string?.split(separator: "\n").count ?? 0
        }
        do {
            let client = RedisClient(server)
            try await client.connect()
            #expect(try await connections() == 2)
        }
        #expect(try await eventually { try await connections() == 1 })
    }
}
