import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import RESP
import RedisClient

/// A pipeline of 100 commands, in the forms of the two ways to run it.
struct Workload: Sendable {
    let name: String
    private let names: [String]
    private let values: [String]
    private let isEncoded: Bool
    private let body: ByteBuffer

    static let all = [
        Workload("SET 64 B", isWrite: true), Workload("GET 64 B", isWrite: false),
        Workload("GET 64 B, base64", isWrite: false, isEncoded: true),
    ]

    private init(_ name: String, isWrite: Bool, isEncoded: Bool = false) {
        self.name = name
        self.isEncoded = isEncoded
        names = (0..<100).map { "bench:\($0)" }
        values = isWrite ? names.map { _ in String(repeating: "x", count: 64) } : []
        let values = values
        let commands = names.indices.map { index in
            isWrite ? "[\"SET\",\"bench:\(index)\",\"\(values[index])\"]" : "[\"GET\",\"bench:\(index)\"]"
        }
        body = ByteBuffer(string: "[\(commands.joined(separator: ","))]")
    }

    /// Through the endpoint.
    func ask(_ port: Int) async throws {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/pipeline")
        request.method = .POST
        request.headers.add(name: "Authorization", value: "Bearer t")
        if isEncoded { request.headers.add(name: "Upstash-Encoding", value: "base64") }
        request.body = .bytes(body)
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let answer = try await response.body.collect(upTo: 1 << 20)
        guard response.status == .ok, answer.readableBytes > 1500 else { throw UpstashEndpointCost.Usage() }
    }

    /// Directly; an application makes its commands, too.
    func run(_ client: RedisClient) async throws {
        var commands: [RESPCommand] = []
        commands.reserveCapacity(names.count)
        for (index, name) in names.enumerated() {
            commands.append(values.isEmpty ? RESPCommand("GET", name) : RESPCommand("SET", name, values[index]))
        }
        let replies = try await client.execute(pipeline: commands, timeout: .seconds(30))
        guard replies.allSatisfy({ $0.error == nil }) else { throw UpstashEndpointCost.Usage() }
    }
}
