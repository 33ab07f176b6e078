import NIOCore
import NIOHTTP1
import TestSupport
import Testing

extension OverProcesses {
    /// C2 and C4 over processes: loads and failures are shared.
    @Suite("One load")
    struct OneLoadTests {
        @Test("C2: three thousand readers of a cold key on four nodes cost one load")
        func coldKey() async throws {
            let fleet = try await ServiceFleet(nodes: 4)
            fleet.source.isBlocked = true
            let connections = try await WireConnection.open(3_000) { fleet.nodes[$0 % 4].port }
            let questions = connections.map { $0.send(.GET, ServiceFleet.Node.path) }
            for question in questions { try await question.isSent.get() }
            #expect(await eventually { fleet.source.loads == 1 })
            fleet.source.release()
            for question in questions {
                let outcome = try await question.1.get()
                #expect(outcome.status == 200 && outcome.body == CountingSource.body(1), "\(outcome)")
            }
            #expect(fleet.source.loads == 1)
            #expect(await fleet.stop() == [0, 0, 0, 0])
        }

        @Test("C2, C3: a holder that is killed while it loads is followed by one other node, and nobody hangs")
        func killedHolder() async throws {
            let fleet = try await ServiceFleet(nodes: 3, policy: "ttl: 1h, hardDeadline: 2s")
            fleet.source.isBlocked = true
            let doomed = fleet.nodes[0]
            let connections = try await WireConnection.open(40) { fleet.nodes[1 + $0 % 2].port }
            let holder = Task { try? await doomed.ask() }
            #expect(await eventually { fleet.source.loads == 1 })
            var questions = connections.prefix(20).map { $0.send(.GET, ServiceFleet.Node.path) }
            for question in questions { try await question.isSent.get() }
            doomed.process.crash()
            questions += connections.dropFirst(20).map { $0.send(.GET, ServiceFleet.Node.path) }
            _ = await holder.value
            fleet.source.isBlocked = false
            fleet.source.version = 2
            for question in questions {
                let outcome = try await question.1.get()
                #expect(outcome.status == 200 && outcome.body == CountingSource.body(2), "\(outcome)")
            }
            #expect(fleet.source.loads == 2)
        }

        @Test("C4: a failing source is asked once by four nodes, and a removal asks it again")
        func failures() async throws {
            let fleet = try await ServiceFleet(nodes: 4, policy: "ttl: 1h, errorBackoff: 1m")
            fleet.source.isFailing = true
            let answers = try await withThrowingTaskGroup { group in
                for number in 0..<200 { group.addTask { try await fleet.nodes[number % 4].ask() } }
                return try await group.reduce(into: [HTTPAnswer]()) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 502 })
            #expect(Set(answers.map(\.body)).count == 1)
            #expect(fleet.source.loads == 1)
            fleet.source.isFailing = false
            for node in fleet.nodes { #expect(try await node.ask().status == 502) }
            #expect(fleet.source.loads == 1)
            #expect(try await fleet.nodes[2].ask(.DELETE).status == 204)
            for node in fleet.nodes { #expect(try await node.version() == 1) }
            #expect(fleet.source.loads == 2)
        }
    }
}
