@testable import RedisClient

/// What scripted servers say to be taken for the nodes of a cluster.
enum ScriptedCluster {
    static func node(_ host: String, _ port: Int, ip: String? = nil) -> String {
        let more = ip.map { "*2\r\n$2\r\nip\r\n$\($0.count)\r\n\($0)\r\n" } ?? "*0\r\n"
        return "*4\r\n$\(host.count)\r\n\(host)\r\n:\(port)\r\n$2\r\nid\r\n" + more
    }

    static func slots(_ nodes: String...) -> String { slots(nodes) }

    static func slots(_ nodes: [String]) -> String { "*1\r\n" + slots(0...16_383, of: nodes) }

    private static func slots(_ slots: ClosedRange<Int>, of nodes: [String]) -> String {
        "*\(nodes.count + 2)\r\n:\(slots.lowerBound)\r\n:\(slots.upperBound)\r\n" + nodes.joined()
    }

    /// Two nodes with half of the slots each, of which the first leaves; a third is a replica of the second.
    static func halves(_ ports: [Int], firstHasLeft: Bool = false) -> String {
        let nodes = ports.map { node("127.0.0.1", $0) }
        if firstHasLeft { return slots(nodes[1]) }
        return "*2\r\n" + slots(0...8191, of: [nodes[0]]) + slots(8192...16_383, of: Array(nodes.dropFirst()))
    }

    static func client(
        _ port: Int,
        reads: RedisClient.Cluster.Reads = .primaries,
        _ change: (inout RedisClient.Configuration) -> Void = { _ in }
    ) -> RedisClient {
        RedisClient(port: port) { configuration in
            var cluster = RedisClient.Cluster(seeds: [configuration.address])
            cluster.reads = reads
            configuration.topology = .cluster(cluster)
            configuration.topologyInterval = .seconds(3600)
            change(&configuration)
        }
    }
}
