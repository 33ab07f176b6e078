import CoreMetrics
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import FreshetServer

@Suite("What the process may hold")
struct L1LimitTests {
    /// Values of that many bytes of JSON, each in a file and a field of its name.
    private func configuration(_ sizes: KeyValuePairs<String, Int>, in folder: Folder) throws -> Configuration {
        var yaml = """
            server: { port: 0 }
            l1: { maxBytes: 6kB, recheck: 1h }
            fields:

            """
        for (name, size) in sizes {
            try folder.write("\"\(String(repeating: "x", count: size - 2))\"", to: "\(name).json")
            yaml += "  \(name): { key: \(name), ttl: 1h, source: { file: { path: \(name).json } } }\n"
        }
        return try Configuration.parse(
            yaml,
            file: folder.url.appendingPathComponent("freshet.yaml").path,
            environment: Environment([:])
        )
    }

    @Test("the limit of the configuration holds, and the metrics tell what it cost")
    func limit() async throws {
        let folder = try Folder()
        let configuration = try configuration(["a": 1000, "b": 1000, "c": 1000, "large": 4000], in: folder)
        let registry = PrometheusRegistry()
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let service = try await withMetricsFactory(registry) {
            try await buildApplication(
                configuration: configuration,
                metrics: registry,
                logger: RecordedLogs().logger,
                onReady: { listening.yield($0) }
            )
        }
        try await withRunning(service) {
            let port = try #require(await ports.first { _ in true })
            let url = "http://127.0.0.1:\(port)"
            func expectMetrics(entries: Int, bytes: Int, removed: Int) async throws {
                let lines = try await HTTPAnswer(.GET, "\(url)/metrics").body.split(separator: "\n")
                for line in [
                    "freshet_l1_entries \(entries)", "freshet_l1_bytes \(bytes)", "freshet_l1_oversized_total 1",
                    "freshet_l1_evictions_total{cause=\"capacity\"} 1",
                    "freshet_l1_evictions_total{cause=\"removed\"} \(removed)",
                ] {
                    let isThere = lines.contains(line[...])
                    #expect(isThere, "\(line)")
                }
            }
            for name in ["large", "a", "b", "c", "c"] {
                let answer = try await HTTPAnswer(.GET, "\(url)/api/fields/\(name)")
                #expect(answer.status == 200)
            }
            // Each weighs twice its JSON, its key and 256.
            try await expectMetrics(entries: 2, bytes: 4514, removed: 0)
            let removal = try await HTTPAnswer(.DELETE, "\(url)/api/fields/c")
            #expect(removal.status == 204)
            try await expectMetrics(entries: 1, bytes: 2257, removed: 1)
        }
    }
}
