import Foundation
import NIOHTTP1
import TestSupport

/// Services in processes of their own, on one redis-server, with one field whose source the test controls.
final class ServiceFleet: Sendable {
    struct NotReady: Error, CustomStringConvertible {
        let description: String
    }

    /// One service.
    final class Node: Sendable {
        static let path = "/api/fields/value"

        let process: FreshetProcess
        let port: Int

        init(_ process: FreshetProcess) async throws {
            guard let url = await process.ready(), let port = URL(string: url)?.port else {
                throw NotReady(description: process.standardError)
            }
            (self.process, self.port) = (process, port)
        }

        func ask(_ method: HTTPMethod = .GET, _ rest: String = "") async throws -> HTTPAnswer {
            try await HTTPAnswer(method, "http://127.0.0.1:\(port)\(Self.path)\(rest)")
        }

        /// The version that a reader gets.
        func version(_ rest: String = "") async throws -> Int? { try await ask(.GET, rest).version }

        /// What `/readyz` says.
        var readiness: String {
            get async throws { try await HTTPAnswer(.GET, "http://127.0.0.1:\(port)/readyz").body }
        }
    }

    let redis: RedisServer
    let source: CountingSource
    let nodes: [Node]
    private let folder: Folder

    /// - Parameters:
    ///   - policy: of the field, as YAML in one line.
    ///   - recheck: without word from other nodes; long, so that nothing else than messages brings news.
    ///   - storeTimeout: long, since the machine may be busy.
    init(
        nodes count: Int,
        policy: String = "ttl: 1h",
        recheck: String = "1h",
        storeTimeout: String = "20s"
    ) async throws {
        redis = try await RedisServer.start()
        source = try await CountingSource.start()
        folder = try Folder()
        let yaml = """
            storeTimeout: \(storeTimeout)
            l1: { recheck: \(recheck) }
            fields: { value: { \(policy), source: { http: { url: \(source.url) } } } }
            """
        try folder.write(yaml, to: "freshet.yaml")
        let arguments = ["serve", "--port", "0", "--store", redis.url]
        let processes = try (0..<count).map { [folder] _ in try FreshetProcess(arguments, directory: folder.url) }
        var nodes: [Node] = []
        for process in processes { nodes.append(try await Node(process)) }
        self.nodes = nodes
    }

    /// Stops the services the gentle way.
    ///
    /// - Returns: their exit codes.
    func stop() async -> [Int32?] {
        for node in nodes { node.process.terminate() }
        var codes: [Int32?] = []
        for node in nodes { codes.append(await node.process.exitCode()) }
        return codes
    }
}

extension HTTPAnswer {
    /// The version in the body; nil for an error.
    var version: Int? {
        struct Value: Decodable { var version: Int }
        guard status == 200 else { return nil }
        return try? JSONDecoder().decode(Value.self, from: Data(body.utf8)).version
    }
}
