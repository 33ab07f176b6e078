import NIOHTTP1
import TestSupport
import Testing

@Suite("Upstash")
struct UpstashTests {
    private static let authorization: HTTPHeaders = ["Authorization": "Bearer secret"]

    @Test("serves a Redis, says where, and drains on SIGTERM although a stream is open")
    func serves() async throws {
        let server = try await RedisServer.start()
        let endpoint = try FreshetProcess(
            ["upstash", "--store", server.url, "--token", "secret", "--read-only-token", "ro", "--port", "0"]
        )
        let url = try #require(await endpoint.ready())
        #expect(endpoint.standardOutput == "freshet: listening on \(url)\n")
        let stored = try await HTTPAnswer(.GET, "\(url)/set/k/v", headers: Self.authorization)
        #expect(stored.body == #"{"result":"OK"}"#)
        #expect(try await HTTPAnswer(.GET, "\(url)/get/k?_token=ro").body == #"{"result":"v"}"#)
        #expect(try await HTTPAnswer(.GET, "\(url)/get/k").status == 401)
        let subscribers = "\(url)/pubsub/numsub/c"
        async let stream = HTTPAnswer(.POST, "\(url)/subscribe/c", headers: Self.authorization)
        let isOpen = try await eventually {
            try await HTTPAnswer(.GET, subscribers, headers: Self.authorization).body == #"{"result":["c",1]}"#
        }
        #expect(isOpen)
        endpoint.terminate()
        #expect(await endpoint.exitCode() == 0)
        #expect(try await stream.body == "data: subscribe,c,1\n\n")
        #expect(!endpoint.standardError.contains("secret"))
    }

    @Test("serves memory with a loud warning where no store is named; the token may come from the environment")
    func memory() async throws {
        let endpoint = try FreshetProcess(
            ["upstash"],
            environment: [
                "UPSTASH_REDIS_REST_TOKEN": "\"secret\"", "UPSTASH_REDIS_REST_URL": "https://unused",
                "FRESHET_HOST": "127.0.0.2", "FRESHET_PORT": "0",
            ]
        )
        let url = try #require(await endpoint.ready())
        #expect(url.hasPrefix("http://127.0.0.2:"))
        #expect(endpoint.standardError.contains("NO STORE IS CONFIGURED"))
        #expect(try await HTTPAnswer(.GET, "\(url)/ping", headers: Self.authorization).body == #"{"result":"PONG"}"#)
        endpoint.interrupt()
        #expect(await endpoint.exitCode() == 0)
    }

    @Test("a port in the environment that is none ends it with 78")
    func badPort() async throws {
        let run = try await Run(["upstash", "--token", "t"], environment: ["FRESHET_PORT": "70000"])
        #expect(run.code == 78)
        #expect(run.errors.contains("FRESHET_PORT: '70000' is no port – use a number from 0 to 65535"))
    }

    @Test(
        "what is wrong with a variable is said of the variable, and not of the flag that could be in its place",
        arguments: [
            ("FRESHET_HOST", "bad host", "'bad host' is no host to listen on"),
            ("UPSTASH_REDIS_REST_TOKEN", "a b", "the token cannot be sent in a header"),
        ]
    )
    func badVariable(name: String, value: String, message: String) async throws {
        let run = try await Run(["upstash"], environment: [name: value])
        #expect(run.code == 78)
        #expect(run.errors.contains("\(name): \(message)"), "\(run.errors)")
    }

    @Test("a store that is not there ends it with 69")
    func dead() async throws {
        let run = try await Run(
            [
                "upstash", "--store", "redis://127.0.0.1:\(try LoopbackSocket.freePort())", "--token", "secret",
                "--port",
                "0",
            ],
            within: .seconds(10)
        )
        #expect(run.code == 69)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("store"))
    }

    @Test("a password that the server repeats is not printed")
    func repeatedPassword() async throws {
        let server = try await RedisServer.start(arguments: ["--rename-command", "AUTH", ""])
        let store = "redis://u:s3cret-password@127.0.0.1:\(server.port)"
        let run = try await Run(["upstash", "--store", store, "--token", "t", "--port", "0"])
        #expect(run.code == 78)
        #expect(run.errors.contains("ERR unknown command 'AUTH'"), "\(run.errors)")
        #expect(!run.errors.contains("s3cret"), "\(run.errors)")
    }

    @Test("a missing token and a store that it cannot serve end it with 78")
    func configuration() async throws {
        let run = try await Run(["upstash", "--store", "https://x.upstash.io"])
        #expect(run.code == 78)
        #expect(run.errors.contains("--store: "))
        #expect(run.errors.contains("--token: there is no token"))
        let unknown = try await Run(["upstash", "--store", "unix:///tmp/redis", "--token", "secret"])
        #expect(unknown.code == 78)
        #expect(!unknown.errors.contains("https://host?_token"))
    }
}
