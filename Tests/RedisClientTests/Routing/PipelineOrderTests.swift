import NIOConcurrencyHelpers
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// In which order servers get the commands of a pipeline.
@Suite struct PipelineOrderTests {
    /// What servers have done.
    private final class Log: Sendable {
        private let box = NIOLockedValueBox<[String]>([])
        var lines: [String] { box.withLockedValue { $0 } }
        func add(_ words: [String]) { box.withLockedValue { $0.append(words.joined(separator: " ")) } }
    }

    /// A server that refuses a command for the first few times.
    private func server(
        refusing command: [String],
        times: Int = 1,
        with refusal: String,
        _ log: Log,
        _ ports: NIOLockedValueBox<[Int]>
    ) async throws -> ScriptedServer {
        let left = NIOLockedValueBox(times)
        return try await ScriptedServer.start { words in
            switch words[0] {
            case "CLUSTER":
                let ports = ports.withLockedValue { $0 }
                guard ports.count == 1 else { return ScriptedCluster.halves(ports) }
                return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", ports[0]))
            case "ROLE": return "*1\r\n+master\r\n"
            // A slow machine makes the client ask whether the server is there.
            case "PING": return "+PONG\r\n"
            default: break
            }
            let isRefused =
                words == command
                && left.withLockedValue { left in
                    left -= 1
                    return left >= 0
                }
            if isRefused { return "-\(refusal)\r\n" }
            log.add(words)
            return "+OK\r\n"
        }
    }

    private func commands(_ lines: [String]) -> [RESPCommand] {
        lines.map { line in
            let words = line.split(separator: " ").map(String.init)
            return RESPCommand(words[0], arguments: Array(words.dropFirst()))
        }
    }

    @Test(arguments: ["LOADING x", "READONLY x", "MASTERDOWN x", "CLUSTERDOWN x", "TRYAGAIN x"], [true, false])
    func anOlderWriteNeverComesBehindANewerOne(refusal: String, isCluster: Bool) async throws {
        let (log, ports) = (Log(), NIOLockedValueBox([0]))
        let server = try await server(refusing: ["SET", "k", "1"], with: refusal, log, ports)
        ports.withLockedValue { $0 = [server.port] }
        let sentinel = try await ScriptedSentinel.start { server.port }
        let client = isCluster ? ScriptedCluster.client(server.port) : sentinel.client()
        let replies = try await client.execute(pipeline: commands(["SET k 1", "SET k 2"]))
        #expect(replies[0].error?.text == refusal)
        #expect(replies[1].string == "OK")
        #expect(log.lines == ["SET k 2"])
    }

    /// Runs a pipeline on one server that refuses `SET k 1` three times.
    private func run(
        _ lines: [String],
        isCluster: Bool,
        refusal: String = "LOADING x"
    ) async throws -> (replies: [RESPValue], log: [String]) {
        let (log, ports) = (Log(), NIOLockedValueBox([0]))
        let server = try await server(refusing: ["SET", "k", "1"], times: 3, with: refusal, log, ports)
        ports.withLockedValue { $0 = [server.port] }
        let sentinel = try await ScriptedSentinel.start { server.port }
        let client = isCluster ? ScriptedCluster.client(server.port) : sentinel.client()
        let replies = try await client.execute(pipeline: commands(lines))
        await client.close()
        for server in [server, sentinel.server] { try await server.stop() }
        return (replies, log.lines)
    }

    @Test(
        arguments: ["SET other 2", "GET other", "ECHO x", "CONFIG SET x y", "MSET {other}a 1 {other}b 2"],
        [true, false]
    )
    func whatNothingDependsOnIsTriedAgain(other: String, isCluster: Bool) async throws {
        let (replies, log) = try await run(["SET k 1", other], isCluster: isCluster)
        #expect(replies.map(\.string) == ["OK", "OK"])
        #expect(log == [other, "SET k 1"])
    }

    @Test(arguments: ["GET k", "MSET {k}2 1 k 2", "EVAL x 0", "FLUSHALL", "DBSIZE", "SWAPDB 0 1"], [true, false])
    func whatMayDependOnItIsNotOvertaken(other: String, isCluster: Bool) async throws {
        let (replies, log) = try await run(["SET k 1", other], isCluster: isCluster)
        #expect(replies[0].error?.code == .loading)
        #expect(log == [other])
    }

    @Test(arguments: ["PUBLISH c m", "SPUBLISH {k}c m"], [true, false])
    func messagesWaitForWritesOfTheirNode(message: String, isCluster: Bool) async throws {
        let refusal = isCluster ? "TRYAGAIN x" : "READONLY x"
        let (replies, log) = try await run(["SET k 1", message], isCluster: isCluster, refusal: refusal)
        #expect(replies.map(\.string) == ["OK", "OK"])
        #expect(log == ["SET k 1", message])
    }

    @Test func messagesComeLast() async throws {
        let (log, ports) = (Log(), NIOLockedValueBox([0, 0]))
        let first = try await server(refusing: [], with: "", log, ports)
        let second = try await server(refusing: ["SET", "foo", "1"], times: 3, with: "TRYAGAIN x", log, ports)
        ports.withLockedValue { $0 = [first.port, second.port] }
        let client = ScriptedCluster.client(first.port)
        let replies = try await client.execute(pipeline: commands(["SET hello 1", "SET foo 1", "PUBLISH c m"]))
        #expect(replies.map(\.string) == ["OK", "OK", "OK"])
        #expect(log.lines == ["SET hello 1", "SET foo 1", "PUBLISH c m"])
    }

    @Test func aMessageIsNotSentForWhatWasNotDoneInTime() async throws {
        let (log, ports) = (Log(), NIOLockedValueBox([0, 0]))
        let first = try await server(refusing: [], with: "", log, ports)
        let second = try await server(refusing: ["SET", "foo", "1"], times: .max, with: "LOADING x", log, ports)
        ports.withLockedValue { $0 = [first.port, second.port] }
        let client = ScriptedCluster.client(first.port)
        try await client.execute(pipeline: commands(["GET hello", "GET foo"]))
        let pipeline = commands(["SET hello 1", "SET foo 1", "PUBLISH c m"])
        do {
            let replies = try await client.execute(pipeline: pipeline, timeout: .milliseconds(500))
            #expect(replies.map(\.string) == ["OK", nil, nil])
            #expect(replies.dropFirst().allSatisfy { $0.error?.code == .loading })
        } catch let error as RedisClientError {
            // The last attempt began just before the deadline.
            #expect(error.code == .timedOut)
        }
        #expect(!log.lines.contains("PUBLISH c m"))
    }

    @Test func whatIsReadBesideAWriteIsReadFromThePrimary() async throws {
        let port = NIOLockedValueBox(0)
        let replica = try await ScriptedServer.start { $0[0] == "READONLY" ? "+OK\r\n" : "+replica\r\n" }
        let primary = try await ScriptedServer.start { words in
            switch words[0] {
            case "READONLY": return "+OK\r\n"
            case "CLUSTER":
                let nodes = [port.withLockedValue { $0 }, replica.port].map { ScriptedCluster.node("127.0.0.1", $0) }
                return ScriptedCluster.slots(nodes[0], nodes[1])
            default: return "+primary\r\n"
            }
        }
        port.withLockedValue { $0 = primary.port }
        let client = ScriptedCluster.client(primary.port, reads: .replicas)
        // A replica that takes long to connect to is passed.
        #expect(try await eventually { try await client.execute(RESPCommand("GET", "k")).string == "replica" })
        let replies = try await client.execute(pipeline: commands(["SET k 1", "GET k", "GET other", "GET {k}2"]))
        #expect(replies.map(\.string) == ["primary", "primary", "replica", "primary"])
        let flushed = try await client.execute(pipeline: commands(["FLUSHALL", "GET k"]))
        #expect(flushed.map(\.string) == ["primary", "primary"])
        // Messages of one channel take one way.
        let told = try await client.execute(pipeline: commands(["GET k", "SPUBLISH k m", "GET k"]))
        #expect(told.map(\.string) == ["replica", "primary", "replica"])
    }

    /// A node that has just become a replica sends on what writes, and answers reads itself.
    @Test func whatIsReadBehindAWriteThatIsSentOnIsReadThere() async throws {
        let (ports, value) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox<String?>(nil))
        @Sendable func answer(_ words: [String], by node: Int) -> String {
            let ports = ports.withLockedValue { $0 }
            switch words[0] {
            case "CLUSTER":
                let nodes = ports.map { ScriptedCluster.node("127.0.0.1", $0) }
                return ScriptedCluster.slots(value.withLockedValue { $0 } == nil ? nodes : nodes.reversed())
            case "SET" where node == 0: return "-MOVED 7629 127.0.0.1:\(ports[1])\r\n"
            case "SET": value.withLockedValue { $0 = words[2] }
            case "GET": return "+\(node == 0 ? "old" : value.withLockedValue { $0 } ?? "old")\r\n"
            default: break
            }
            return "+OK\r\n"
        }
        let demoted = try await ScriptedServer.start { answer($0, by: 0) }
        let promoted = try await ScriptedServer.start { answer($0, by: 1) }
        ports.withLockedValue { $0 = [demoted.port, promoted.port] }
        let client = ScriptedCluster.client(demoted.port, reads: .replicas)
        let replies = try await client.execute(pipeline: commands(["GET k", "SET k 1", "GET k", "SET k 2", "GET k"]))
        #expect(replies.map(\.string) == ["old", "OK", "1", "OK", "2"])
    }

    /// A slot whose keys are moved one by one, and a node that answers a write by itself behind one that it sends on.
    @Test(arguments: [
        (["SET hello 1", "GET {hello}2"], "ASK"), (["SET hello 1", "GET {hello}2", "DEL {hello}2"], "MOVED"),
    ])
    func whatIsReadBehindAWriteThatIsSentOnMayStillBeWhereItWas(pipeline: [String], refusal: String) async throws {
        let (ports, here) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox("here"))
        @Sendable func answer(_ words: [String], by node: Int) -> String {
            let ports = ports.withLockedValue { $0 }
            switch words[0] {
            case "CLUSTER": return ScriptedCluster.halves(ports)
            case "SET" where node == 0: return "-\(refusal) 866 127.0.0.1:\(ports[1])\r\n"
            case "GET": return "+\(node == 0 ? here.withLockedValue { $0 } : "elsewhere")\r\n"
            case "DEL": here.withLockedValue { $0 = "gone" }
            default: break
            }
            return "+OK\r\n"
        }
        let source = try await ScriptedServer.start { answer($0, by: 0) }
        let target = try await ScriptedServer.start { answer($0, by: 1) }
        ports.withLockedValue { $0 = [source.port, target.port] }
        let client = ScriptedCluster.client(source.port)
        let replies = try await client.execute(pipeline: commands(pipeline))
        #expect(replies.prefix(2).map(\.string) == ["OK", "here"])
    }

    @Test func whatIsSentOnToANodeThatCannotBeReachedYetIsNotAnsweredByTheRedirection() async throws {
        let (ports, writes) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox(0))
        @Sendable func answer(_ words: [String], by node: Int) -> String? {
            let ports = ports.withLockedValue { $0 }
            switch words[0] {
            case "HELLO": return node == 0 || writes.withLockedValue { $0 } > 1 ? "%0\r\n" : nil
            case "CLUSTER": return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", ports[0]))
            case "SET" where node == 0:
                writes.withLockedValue { $0 += 1 }
                return "-MOVED 866 127.0.0.1:\(ports[1])\r\n"
            case "SET": return "+there\r\n"
            default: return "+OK\r\n"
            }
        }
        let source = try await ScriptedServer.start(greets: false) { answer($0, by: 0) }
        let target = try await ScriptedServer.start(greets: false) { answer($0, by: 1) }
        ports.withLockedValue { $0 = [source.port, target.port] }
        let client = ScriptedCluster.client(source.port)
        let replies = try await client.execute(pipeline: commands(["SET hello 1", "DEL {hello}2"]))
        #expect(replies.map(\.string) == ["there", "OK"])
    }

    @Test func aWatchThatIsLostIsTriedAgain() async throws {
        let (ports, watches) = (NIOLockedValueBox([0]), NIOLockedValueBox(0))
        let server = try await ScriptedServer.start { words in
            switch words[0] {
            case "CLUSTER":
                return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", ports.withLockedValue { $0 }[0]))
            case "WATCH":
                return watches.withLockedValue { watches in
                    watches += 1
                    return watches > 2 ? "+OK\r\n" : nil
                }
            case "EXEC": return "*1\r\n+done\r\n"
            default: return "+QUEUED\r\n"
            }
        }
        ports.withLockedValue { $0 = [server.port] }
        let client = ScriptedCluster.client(server.port)
        let replies = try await client.withTransaction(watching: ["a"]) { _ in [RESPCommand("SET", "a", 1)] }
        #expect(replies?.map(\.string) == ["done"])
        #expect(watches.withLockedValue { $0 } == 3)
    }

    @Test func aTransactionBeginsOnAConnectionThatIsThere() async throws {
        let port = NIOLockedValueBox(0)
        let primary = try await ScriptedServer.start { words in
            switch words[0] {
            case "ROLE": return "*1\r\n+master\r\n"
            case "EXEC": return "*1\r\n+done\r\n"
            default: return "+QUEUED\r\n"
            }
        }
        let demoted = try await ScriptedServer.start { _ in
            port.withLockedValue { $0 = primary.port }
            return "*1\r\n+slave\r\n"
        }
        port.withLockedValue { $0 = demoted.port }
        let sentinel = try await ScriptedSentinel.start { port.withLockedValue { $0 } }
        let client = sentinel.client()
        let begun = NIOLockedValueBox(0)
        let replies = try await client.withTransaction { _ in
            begun.withLockedValue { $0 += 1 }
            return [RESPCommand("SET", "a", 1)]
        }
        #expect(replies?.map(\.string) == ["done"])
        #expect(begun.withLockedValue { $0 } == 1)
    }
}
