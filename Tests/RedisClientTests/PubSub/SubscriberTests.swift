import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// How the connection for subscriptions follows its place.
@Suite(.timeLimit(.minutes(3))) struct SubscriberTests {
    private let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()

    private func subscriber(
        at place: SubscriptionPlace,
        pausing pause: Duration
    ) -> Subscriber {
        var configuration = RedisClient.configuration(port: 1)
        configuration.reconnectBackoff = pause...pause
        return Subscriber(
            configuration: configuration,
            place: place,
            eventLoop: eventLoop,
            logger: .init(label: "test")
        )
    }

    /// Though the next attempt was to be an hour later.
    @Test(.timeLimit(.minutes(1))) func anAttemptAtAnotherServerIsGivenUpAtOnce() async throws {
        let silent = try await ScriptedServer.start(greets: false) { _ in "" }
        let right = try await ScriptedServer.start { ">3\r\n+subscribe\r\n+\($0[1])\r\n:1\r\n" }
        let port = NIOLockedValueBox(silent.port)
        let place = SubscriptionPlace {
            Connector(configuration: RedisClient.configuration(port: port.withLockedValue { $0 }))
        } isRight: { address in
            address == .hostname("127.0.0.1", port: port.withLockedValue { $0 })
        }
        let subscriber = subscriber(at: place, pausing: .seconds(3600))
        async let subscription = subscriber.subscribe(to: [.channel("news")])
        #expect(await eventually { silent.acceptedCount == 1 })
        port.withLockedValue { $0 = right.port }
        subscriber.recheckPlace(isGap: false)
        var events = try await subscription.makeAsyncIterator()
        right.push(">3\r\n+message\r\n+news\r\n+here\r\n")
        #expect(try await events.next() == .message(RedisMessage(channel: "news", payload: ByteBuffer(string: "here"))))
        #expect(right.acceptedCount == 1)
        subscriber.close()
    }

    /// The server may be another by then; that of the next connection is not.
    @Test func aConnectionThatWasDoubtedWhileItWasMadeIsMadeOnceMore() async throws {
        let server = try await ScriptedServer.start { ">3\r\n+subscribe\r\n+\($0[1])\r\n:1\r\n" }
        let (port, doubt) = (server.port, NIOLockedValueBox<(@Sendable () -> Void)?>(nil))
        let place = SubscriptionPlace {
            doubt.withLockedValue { $0.take() }?()
            return Connector(configuration: RedisClient.configuration(port: port))
        } isRight: { _ in
            true
        }
        let subscriber = subscriber(at: place, pausing: .milliseconds(1))
        doubt.withLockedValue { $0 = { subscriber.recheckPlace(isGap: true) } }
        _ = try await subscriber.subscribe(to: [.channel("news")])
        #expect(server.acceptedCount == 2)
        subscriber.close()
    }

    /// The other connection is held against it once more: the next one may be to yet another server.
    @Test(.timeLimit(.minutes(1))) func aConnectionThatTookNoSubscriptionsCountsAsLost() async throws {
        let asked = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start { words in
            let isBusy = asked.withLockedValue { asked in
                asked += 1
                return asked == 2
            }
            return isBusy ? "-BUSY a script\r\n" : ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n"
        }
        let (port, returns) = (server.port, NIOLockedValueBox(0))
        let place = SubscriptionPlace {
            Connector(configuration: RedisClient.configuration(port: port))
        } isRight: { _ in
            true
        }
        let subscriber = subscriber(at: place, pausing: .milliseconds(1))
        subscriber.onConnect { reason in
            if case .loss = reason { returns.withLockedValue { $0 += 1 } }
        }
        var events = try await subscriber.subscribe(to: [.channel("news")]).makeAsyncIterator()
        server.cut()
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        #expect(returns.withLockedValue { $0 } == 2)
        subscriber.close()
    }

    @Test func aServerThatConfirmsNothingIsAskedLessAndLessOften() async throws {
        let server = try await ScriptedServer.start { _ in nil }
        let client = RedisClient(port: server.port) {
            $0.connectTimeout = .milliseconds(300)
            $0.reconnectBackoff = .milliseconds(1)...Duration.seconds(60)
        }
        #expect(try await clientError { try await client.subscribe(to: ["news"]) }?.code == .timedOut)
        // The next attempt is eight seconds later at least.
        #expect(server.acceptedCount < 16)
        await client.close()
    }

    @Test func anAttemptThatWasMadeEarlierIsNotMadeAgain() async throws {
        let attempts = NIOLockedValueBox(0)
        let place = SubscriptionPlace {
            attempts.withLockedValue { $0 += 1 }
            return nil
        } isRight: { _ in
            false
        }
        let subscriber = subscriber(at: place, pausing: .milliseconds(20))
        let subscription = Task { try await subscriber.subscribe(to: [.channel("news")]) }
        #expect(await eventually { attempts.withLockedValue { $0 } > 0 })
        for _ in 0..<100 { subscriber.recheckPlace(isGap: false) }
        try await eventLoop.submit {}.get()
        let start = ContinuousClock.now
        let before = attempts.withLockedValue { $0 }
        #expect(before > 100)
        #expect(await eventually { attempts.withLockedValue { $0 } >= before + 20 })
        // Each but the first has half a pause before it at least.
        #expect(ContinuousClock.now - start >= .milliseconds(190))
        subscriber.close()
        #expect(try await clientError { try await subscription.value }?.code == .closed)
    }
}
