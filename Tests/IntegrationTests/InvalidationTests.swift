import NIOHTTP1
import TestSupport
import Testing

extension OverProcesses {
    /// C1 over processes: what was invalidated is not served any more.
    @Suite("Invalidations")
    struct InvalidationTests {
        @Test(
            "C1: what one node has removed or expired, no other serves once it has heard of it",
            arguments: ["", "?soft=true"]
        )
        func heardOf(query: String) async throws {
            let fleet = try await ServiceFleet(nodes: 2)
            let (a, b) = (fleet.nodes[0], fleet.nodes[1])
            for round in 1...15 {
                #expect(try await a.version() == round)
                #expect(try await b.version() == round)
                fleet.source.version = round + 1
                #expect(try await a.ask(.DELETE, query).status == 204)
                #expect(try await a.version() == round + 1, "at once on the node itself")
                let hasHeard = try await eventually { try await b.version() == round + 1 }
                #expect(hasHeard)
                for _ in 0..<5 { #expect(try await b.version() == round + 1, "for good") }
            }
            #expect(fleet.source.loads == 16, "each invalidation cost one load")
        }

        @Test("C1: a load under way on another node when the key is removed is not kept there, nor in the store")
        func loadUnderWay() async throws {
            let fleet = try await ServiceFleet(nodes: 2)
            let (a, b) = (fleet.nodes[0], fleet.nodes[1])
            fleet.source.isBlocked = true
            let early = Task { try await b.ask() }
            #expect(await eventually { fleet.source.loads == 1 })
            fleet.source.version = 2
            #expect(try await a.ask(.DELETE).status == 204)
            let late = Task { try await a.ask() }
            #expect(await eventually { fleet.source.loads == 2 })
            fleet.source.answer(1)
            let overtaken = try await early.value
            #expect(overtaken.version == 1)
            #expect(overtaken["Cache-Status"] == "freshet; fwd=miss", "who waited before gets it, and nobody else")
            fleet.source.release()
            #expect(try await late.value.version == 2)
            for node in [b, a, b] { #expect(try await node.version() == 2) }
            #expect(fleet.source.loads == 2)
        }

        @Test("C1: a forced refresh overtakes the load of another node", arguments: [true, false])
        func forced(olderEndsFirst: Bool) async throws {
            let fleet = try await ServiceFleet(nodes: 2)
            let (a, b) = (fleet.nodes[0], fleet.nodes[1])
            fleet.source.isBlocked = true
            let older = Task { try await b.ask() }
            #expect(await eventually { fleet.source.loads == 1 })
            fleet.source.version = 2
            let forced = Task { try await a.ask(.POST, "/refresh") }
            #expect(await eventually { fleet.source.loads == 2 })
            fleet.source.answer(olderEndsFirst ? 1 : 2)
            let first = try await (olderEndsFirst ? older : forced).value
            #expect(first.version == (olderEndsFirst ? 1 : 2))
            fleet.source.answer(olderEndsFirst ? 2 : 1)
            let (old, new) = (try await older.value, try await forced.value)
            #expect((old.version, old["Cache-Status"]) == (1, "freshet; fwd=miss"))
            #expect((new.version, new["Cache-Status"]) == (2, "freshet; fwd=request; stored"))
            #expect(new["Cache-Control"] == "no-cache, no-store, must-revalidate")
            for node in [b, a, b] { #expect(try await node.version() == 2) }
            #expect(fleet.source.loads == 2)
            let again = try await b.ask(.POST, "/refresh")
            #expect(again["Cache-Status"]?.hasSuffix("detail=cooldown") == true, "the fleet has one cooldown")
            #expect(fleet.source.loads == 2)
        }

        @Test("C1: readers who go on while a node removes never see an old value again after a new one")
        func underTraffic() async throws {
            let fleet = try await ServiceFleet(nodes: 3)
            let rounds = 10
            let lasts = try await withThrowingTaskGroup { group in
                for node in fleet.nodes {
                    for _ in 0..<4 {
                        group.addTask {
                            var last = 0
                            while last <= rounds {
                                let version = try #require(try await node.version())
                                #expect(version >= last)
                                last = version
                            }
                            return last
                        }
                    }
                }
                for round in 1...rounds {
                    let node = fleet.nodes[round % 3]
                    #expect(try await eventually { try await node.version() == round })
                    fleet.source.version = round + 1
                    #expect(try await node.ask(.DELETE).status == 204)
                }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect(lasts == [rounds + 1])
            #expect(fleet.source.loads == rounds + 1)
        }
    }
}
