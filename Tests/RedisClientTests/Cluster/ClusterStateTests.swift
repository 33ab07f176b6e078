import Logging
import NIOCore
import NIOPosix
import Testing

@testable import RedisClient

@Suite struct ClusterStateTests {
    private func node(_ address: Address) -> RedisNode {
        RedisNode(
            configuration: .init(address: address),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test")
        )
    }

    @Test func onlyReplicasAreSpared() {
        var state = ClusterState()
        let shard = SlotMap.Shard(primary: address(1), replicas: [address(2)])
        _ = state.apply(SlotMap([.init(slots: 0...16_383, shard: shard)]), make: node)
        let end = NIODeadline.now() + .seconds(60)
        func asked(_ place: Place) -> Address? {
            state.node(for: place, fromReplica: true) { _ in 0 }?.configuration.address
        }
        #expect(asked(.slot(7)) == address(2) && asked(.primary(address(1), ofSlot: 7)) == address(1))
        #expect(!state.isReplica(address(1)) && state.isReplica(address(2)))
        state.rest(address(2), until: end)
        #expect(asked(.slot(7)) == address(1))
        // Where it took over it has to be waited for.
        let isNews = state.move(7, to: address(2), make: node)
        #expect(isNews && !state.isReplica(address(2)))
        #expect(asked(.slot(7)) == address(2))
        // What is for a primary is not for whoever has taken a slot from it, as long as it is one.
        #expect(asked(.primary(address(1), ofSlot: 7)) == address(1))
        #expect(asked(.primary(address(9), ofSlot: 7)) == address(2))
    }

    @Test func aSeedIsAskedBeforeMostNodes() {
        var state = ClusterState()
        let shard = SlotMap.Shard(primary: address(1), replicas: (2...24).map(address))
        _ = state.apply(SlotMap([.init(slots: 0...16_383, shard: shard)]), make: node)
        func asked(_ seeds: Int...) -> [Address] { state.informants(seeds: seeds.map(address)) { $0 } }
        #expect(asked(98, 99).firstIndex(of: address(98)) == 2)
        #expect(asked(98, 99).last == address(99))
        // A node that is known may be one.
        #expect(asked(99, 7).firstIndex(of: address(7)).map { $0 < 3 } == true)
        #expect(Set(asked(7)) == Set((1...24).map(address)) && asked(7).count == 24)
        state.suspects = Set((1...24).map(address))
        #expect(asked(99).first == address(99))
    }

    @Test func aReplicaThatLeftIsNeededNoLonger() {
        var state = ClusterState()
        func take(_ shards: SlotMap.Shard...) -> [Address] {
            let half = HashSlot.count / shards.count
            let assignments = shards.enumerated().map { index, shard in
                SlotMap.Assignment(slots: index * half...(index + 1) * half - 1, shard: shard)
            }
            return state.apply(SlotMap(assignments), make: node).unneeded.map(\.configuration.address)
        }
        let stays = SlotMap.Shard(primary: address(1))
        let left = take(
            .init(primary: address(1), replicas: [address(2)]),
            .init(primary: address(3), replicas: [address(4)])
        )
        #expect(left == [])
        // A primary may be one again by the next look.
        #expect(Set(take(stays)) == [address(2), address(4)])
        #expect(take(stays) == [address(3)])
    }
}
