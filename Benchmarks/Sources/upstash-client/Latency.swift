import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import RESP
import UpstashClient

/// One caller: the client, and the same request without it, taking turns so that both see the same machine.
enum Latency {
    private static let rounds = 2000

    /// Microseconds.
    static func medians(_ client: UpstashClient, token: String) async throws -> (ours: Double, bare: Double) {
        let get = RESPCommand("GET", "bench")
        try await client.execute(RESPCommand("SET", "bench", String(repeating: "x", count: 64)))
        var (ours, bare): ([Double], [Double]) = ([], [])
        for _ in 0..<rounds {
            ours.append(try await time { try await client.execute(get) })
            bare.append(try await time { try await bareRequest(client.configuration.endpoint, token) })
        }
        return (median(ours), median(bare))
    }

    private static func bareRequest(_ endpoint: String, _ token: String) async throws {
        var request = HTTPClientRequest(url: "\(endpoint)/pipeline")
        request.method = .POST
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        request.headers.add(name: "Upstash-Encoding", value: "base64")
        request.body = .bytes(ByteBuffer(string: #"[["GET","bench"]]"#))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        _ = try await response.body.collect(upTo: 1 << 20)
    }

    private static func time(_ operation: () async throws -> Void) async rethrows -> Double {
        let start = ContinuousClock.now
        try await operation()
        return (ContinuousClock.now - start) / .microseconds(1)
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}
