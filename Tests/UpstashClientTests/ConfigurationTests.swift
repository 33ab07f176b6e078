import RESP
import TestSupport
import Testing

@testable import UpstashClient

@Suite struct ConfigurationTests {
    private func problem(_ environment: [String: String]) -> String? {
        do {
            _ = try UpstashClient.Configuration(environment: environment)
            return nil
        } catch let error as UpstashError where error.code == .invalidConfiguration {
            return error.message
        } catch {
            return "another error: \(error)"
        }
    }

    @Test("the first pair whose URL is set, without white space and pasted quotes")
    func readsTheEnvironment() throws {
        var environment = [
            "UPSTASH_REDIS_REST_URL": " \"https://one.upstash.io/\"\n", "UPSTASH_REDIS_REST_TOKEN": "'secret1' ",
            "KV_REST_API_URL": "https://two.upstash.io", "KV_REST_API_TOKEN": "secret2",
        ]
        let first = try UpstashClient.Configuration(environment: environment)
        #expect(first.endpoint == "https://one.upstash.io")
        #expect(first.token == "secret1")
        environment["UPSTASH_REDIS_REST_URL"] = "\"\""
        let second = try UpstashClient.Configuration(environment: environment)
        #expect(second.endpoint == "https://two.upstash.io")
        #expect(second.token == "secret2")
        #expect(!printed(second).contains("secret2"))
        let requests = try RequestFactory(second)
        #expect(!printed(requests).contains("secret2"))
    }

    @Test func saysWhatIsMissing() {
        #expect(problem([:])?.contains("UPSTASH_REDIS_REST_URL") == true)
        #expect(problem(["KV_REST_API_URL": "https://h"])?.contains("KV_REST_API_TOKEN is not") == true)
        #expect(problem(["UPSTASH_REDIS_REST_TOKEN": "t"])?.contains("UPSTASH_REDIS_REST_URL is not") == true)
    }

    @Test(arguments: [
        ("rediss://default:sesame@h:6379", "for TCP"), ("redis://h", "for TCP"), ("h.upstash.io", "no URL"),
        ("https://", "no host"), ("https://user:sesame@h", "user or password"), ("https://h/get", "has a path"),
        ("https://h?_token=sesame", "query"), ("ftp://h", "https://"), ("https://h:0", "port"),
        ("https://[]:1", "no host"), ("https://b%C3%BCcher.example", "xn--"),
    ])
    func refusesWhatIsNoRESTURL(url: String, words: String) throws {
        let text = try #require(problem(["UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": "t"]))
        #expect(text.contains(words))
        #expect(text.contains("UPSTASH_REDIS_REST_URL"))
        #expect(!text.contains("sesame"))
    }

    @Test(arguments: [
        ("rediss://default:sesame@h:6379", "is a URL"), ("default:sesame", "user:password"), ("ses ame", "characters"),
        ("\"sesame", "quote"), ("sesame'", "quote"),
    ])
    func refusesWhatIsNoToken(token: String, words: String) throws {
        let text = try #require(problem(["KV_REST_API_URL": "https://h", "KV_REST_API_TOKEN": token]))
        #expect(text.contains(words))
        #expect(!text.contains("sesame"))
    }

    @Test("no limit is too high or too low to be reckoned with", arguments: [Int.min, 0, .max])
    func takesAnyLimit(limit: Int) async throws {
        let standIn = try await StandIn.start { request, _ in
            request.target == "/pipeline"
                ? .json(StandIn.results(request.commands.map { _ in "1" })) : .stream("data: subscribe,news,1\n\n")
        }
        let client = try standIn.client { configuration in
            configuration.maxRequestBytes = limit
            configuration.maxResponseBytes = limit
            configuration.maxCommandsPerRequest = limit
            configuration.maxConcurrentRequests = limit
            configuration.maxRetries = limit
            configuration.maxQueued = limit
            configuration.maxBufferedMessages = limit
            configuration.retryBackoff = .seconds(limit)...Duration.seconds(limit)
            configuration.overlapAfter = .seconds(limit)
            configuration.subscriptionIdleTimeout = .seconds(limit)
            configuration.subscribeTimeout = .seconds(limit)
        }
        let pipeline = [RESPCommand("INCR", "a"), RESPCommand("INCR", "b")]
        let replies = try? await client.execute(pipeline: pipeline, timeout: .seconds(limit))
        if limit == .max { #expect(replies?.map(\.integer) == [1, 1]) }
        _ = try? await client.subscribe(to: ["news"])
    }

    @Test func readsAURLWithItsToken() throws {
        let configuration = try UpstashClient.Configuration(url: "http://127.0.0.1:8079?_token=a%3Db")
        #expect(configuration.endpoint == "http://127.0.0.1:8079")
        #expect(configuration.token == "a=b")
        for url in [
            "https://h", "https://h?token=t", "https://h?_token=", "https://h?_token=t&x=1", "https://h?_token=a%3D{",
        ] {
            #expect(throws: UpstashError.self) { try UpstashClient.Configuration(url: url) }
        }
    }
}
