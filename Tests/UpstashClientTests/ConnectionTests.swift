import AsyncHTTPClient
import FreshetServer
import NIOCore
import RESP
import TestSupport
import Testing

@testable import UpstashClient

@Suite struct ConnectionTests {
    @Test("HTTP/2 is not spoken: a connection that is dead would be used on and on")
    func offersOnlyHTTP1() async throws {
        let listener = try await SilentListener.start()
        let client = try listener.client()
        let command = Task { try await upstashError { try await client.execute(RESPCommand("PING")) } }
        let subscription = Task { try await upstashError { try await client.subscribe(to: ["a"]) } }
        #expect(await eventually { listener.greetings.count { $0.contains("http/1.1") } == 2 })
        #expect(listener.greetings.allSatisfy { $0.contains(SilentListener.http1Only) })
        command.cancel()
        subscription.cancel()
        #expect(try await command.value?.code == .cancelled)
        #expect(try await subscription.value?.code == .cancelled)
        await client.close()
    }

    @Test("a client's requests go over connections of its own event loop")
    func keepsToItsEventLoop() async throws {
        let standIn = try await StandIn.start(answering: "1")
        var eventLoops: Set<ObjectIdentifier> = []
        for _ in 0..<8 {
            let client = try standIn.client()
            #expect(try await client.execute(RESPCommand("GET", "k")).integer == 1)
            eventLoops.insert(ObjectIdentifier(client.eventLoop))
        }
        #expect(standIn.acceptedCount == eventLoops.count)
    }

    @Test("idle connections are closed here before the endpoint closes them")
    func leavesFirst() {
        let idleTimeout = SharedHTTPClients.configuration(connections: 1).connectionPool.idleTimeout
        #expect(idleTimeout + .seconds(5) < ServerLimits().requestTimeout)
    }

    @Test("what waits for a connection may still be sent when its caller has left")
    func tellsWhatMayStillBeSent() async throws {
        let listener = try await SilentListener.start()
        let client = try listener.client { $0.overlapAfter = .seconds(60) }
        let write = Task { try await upstashError { try await client.execute(RESPCommand("INCR", "a")) } }
        #expect(await eventually { listener.greetings.count == 1 })
        let queued = Task { try await upstashError { try await client.execute(RESPCommand("INCR", "b")) } }
        #expect(await eventually { client.waitingCount == 2 })
        for (task, mayHaveExecuted) in [(write, true), (queued, false)] {
            task.cancel()
            let error = try await task.value
            #expect(error?.code == .cancelled && error?.mayHaveExecuted == mayHaveExecuted)
        }
        await client.close()
    }

    @Test("what is overdue while it waits for a connection may still be sent")
    func tellsWhatMayStillBeSentLate() async throws {
        // On a busy machine it may take some time until a connection is asked for.
        for timeout in [30, 300, 3000, 30_000] {
            let listener = try await SilentListener.start()
            let client = try listener.client()
            let command = RESPCommand("INCR", "a")
            let error = try await upstashError {
                try await client.execute(command, timeout: .milliseconds(timeout))
            }
            #expect(error?.code == .timedOut)
            let wasAskedFor = !listener.greetings.isEmpty
            #expect(error?.mayHaveExecuted == true || !wasAskedFor)
            if wasAskedFor { return }
        }
    }

    @Test(
        "what no connection could be made for has not been sent, though it was to be tried again; closing waits for neither",
        .timeLimit(.minutes(1))
    )
    func tellsWhatWasNotSent() async throws {
        var configuration = try UpstashClient.Configuration(
            url: "http://127.0.0.1:\(LoopbackSocket.freePort())",
            token: "sesame"
        )
        configuration.overlapAfter = .seconds(60)
        configuration.retryBackoff = .seconds(120)...Duration.seconds(120)
        let client = try UpstashClient(configuration)
        let write = Task {
            try await upstashError { try await client.execute(RESPCommand("INCR", "a"), timeout: .seconds(300)) }
        }
        #expect(await eventually { client.waitingCount == 1 })
        // It leaves with the other or after it, and has no time to be tried again.
        let read = try await upstashError { try await client.execute(RESPCommand("GET", "b"), timeout: .seconds(20)) }
        #expect(read?.code == .connectFailed)
        write.cancel()
        let error = try await write.value
        #expect(error?.code == .cancelled && error?.mayHaveExecuted == false)
        await client.close()
    }

    @Test("C10: closing does not wait long for a service that never answers", arguments: [true, false])
    func closesInTime(isSent: Bool) async throws {
        let listener = try await SilentListener.start()
        let standIn = try await StandIn.start { _, _ in .silence }
        let client = isSent ? try standIn.client() : try listener.client { $0.overlapAfter = .seconds(60) }
        func increment(_ key: String) -> Task<UpstashError?, any Error> {
            Task { try await upstashError { try await client.execute(RESPCommand("INCR", key)) } }
        }
        let (abandoned, first) = (increment("a"), increment("a"))
        #expect(await eventually { standIn.requests.count + listener.greetings.count == 1 })
        let queued = increment("b")
        #expect(await eventually { client.waitingCount == 3 })
        abandoned.cancel()
        #expect(try await abandoned.value?.code == .cancelled)
        let begun = ContinuousClock.now
        await client.close()
        #expect(ContinuousClock.now - begun < .seconds(15))
        #expect(client.waitingCount == 0)
        #expect(try await first.value?.code == .closed)
        let error = try await queued.value
        #expect(error?.code == .closed && error?.mayHaveExecuted == false)
    }

    @Test func knowsWhatWasNeverSent() throws {
        let configuration = try UpstashClient.Configuration(url: "https://h", token: "t")
        let piece = try Piece(RESPCommand("INCR", "a"), limits: configuration)
        let job = Job(piece, isPipeline: false, deadline: .distantFuture)
        #expect(job.join() && job.mayArrive)
        job.wasNotSent()
        #expect(!job.mayArrive)
        #expect(job.cancel() && !job.cancel())
        #expect(!job.join() && !job.mayArrive)
    }

    @Test func sendsOneRequestAtLeast() async throws {
        let standIn = try await StandIn.start(answering: "1")
        let client = try standIn.client { $0.maxConcurrentRequests = 0 }
        #expect(try await client.execute(RESPCommand("GET", "k")).integer == 1)
    }
}
