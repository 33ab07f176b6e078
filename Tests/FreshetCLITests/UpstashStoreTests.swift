import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@Suite("A store over REST")
struct UpstashStoreTests {
    private struct Fixture {
        let redis: RedisServer
        let endpoint: FreshetProcess
        let url: String

        init() async throws {
            redis = try await RedisServer.start()
            endpoint = try FreshetProcess(["upstash", "--store", redis.url, "--token", "sesame", "--port", "0"])
            url = try #require(await endpoint.ready())
        }

        func environment(token: String = "sesame") -> [String: String] {
            ["UPSTASH_REDIS_REST_URL": "\"\(url)/\"", "UPSTASH_REDIS_REST_TOKEN": " \(token) "]
        }
    }

    @Test("get, set, ttl and del take upstash:// and https://host?_token=…")
    func keyVerbs() async throws {
        let fixture = try await Fixture()
        let environment = fixture.environment()
        let set = try await Run(
            ["set", "k", "hello", "--ex", "600", "--store", "upstash://"],
            environment: environment
        )
        #expect(set.code == 0)
        #expect(try await Run(["get", "k"], environment: environment).output == "hello\n")
        let ttl = try await Run(["ttl", "k", "--store", "\(fixture.url)?_token=sesame"])
        #expect(ttl.code == 0)
        #expect(Int(ttl.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 0)
        #expect(try await Run(["del", "k"], environment: environment).output == "1\n")
        let refused = try await Run(["get", "k"], environment: fixture.environment(token: "wrong-sesame"))
        #expect(refused.code == 78)
        #expect(refused.errors.contains("REST token"))
        #expect(!refused.errors.contains("wrong-sesame"))
        let tcp = ["UPSTASH_REDIS_REST_URL": "rediss://default:sesame@h:6379", "UPSTASH_REDIS_REST_TOKEN": "t"]
        let mistaken = try await Run(["get", "k"], environment: tcp)
        #expect(mistaken.code == 78)
        #expect(mistaken.errors.contains("the URL for TCP"))
        #expect(!mistaken.errors.contains("sesame"))
    }

    @Test(
        "what the service says of a spent quota or a full database is told once",
        arguments: ["ERR max requests limit exceeded. Limit: 500000, Usage: 500001", "ERR DB capacity quota exceeded"]
    )
    func quota(text: String) async throws {
        let body = ByteBuffer(string: "{\"error\":\"\(text)\"}")
        let service = try await RawServer.start { _ in
            RawServer.Answer("400 Bad Request", "Content-Length: \(body.readableBytes)", body: body, isLast: true)
        }
        let run = try await Run(["get", "k", "--store", "\(service.url)?_token=sesame"])
        #expect(run.code == 69)
        #expect(run.errors.hasPrefix("freshet: "))
        #expect(run.errors.components(separatedBy: text).count == 2, "\(run.errors)")
    }

    @Test("a service that does not answer is given five seconds, and not waited for then")
    func silent() async throws {
        // Of each connection.
        let lives = NIOLockedValueBox<[Duration]>([])
        let silent = try await listenOnLoopback { channel in
            let start = ContinuousClock.now
            channel.closeFuture.whenComplete { _ in lives.withLockedValue { $0.append(start.duration(to: .now)) } }
        }
        let port = try #require(silent.localAddress?.port)
        let run = try await Run(["get", "k", "--store", "http://127.0.0.1:\(port)?_token=sesame"])
        #expect(run.code == 69)
        #expect(run.errors == "freshet: store: The service did not answer in time.\n")
        #expect(await eventually { lives.withLockedValue { $0.count == 2 } })
        // The first one had four seconds, and a quarter passed; to wait for it takes one more.
        #expect(lives.withLockedValue { ($0.last ?? .zero) < .milliseconds(1600) }, "\(lives)")
        try await silent.close()
    }

    @Test("two services tell each other of an invalidation; without its store neither starts")
    func serves() async throws {
        let fixture = try await Fixture()
        let folder = try Folder()
        try folder.write(
            """
            store: upstash://
            l1: { recheck: 1h }
            fields: { a: { key: "odd\\r\\nkey", ttl: 1h, source: { file: { path: a.json } } } }
            """,
            to: "freshet.yaml"
        )
        try folder.write("[1]", to: "a.json")
        let arguments = ["serve", "--port", "0"]
        let environment = fixture.environment()
        let first = try FreshetProcess(arguments, environment: environment, directory: folder.url)
        let second = try FreshetProcess(arguments, environment: environment, directory: folder.url)
        let one = try #require(await first.ready())
        let two = try #require(await second.ready())
        #expect(try await HTTPAnswer(.GET, "\(one)/readyz").body.contains("ready"))
        #expect(try await HTTPAnswer(.GET, "\(one)/api/fields/a").body == "[1]")
        #expect(try await HTTPAnswer(.GET, "\(two)/api/fields/a").body == "[1]")
        try folder.write("[2]", to: "a.json")
        #expect(try await HTTPAnswer(.DELETE, "\(one)/api/fields/a").status == 204)
        #expect(try await eventually { try await HTTPAnswer(.GET, "\(two)/api/fields/a").body == "[2]" })
        fixture.endpoint.terminate()
        #expect(await eventually { !fixture.endpoint.isRunning })
        let late = try await Run(arguments, environment: environment, directory: folder.url)
        #expect(late.code == 69)
        first.terminate()
        second.terminate()
    }
}
