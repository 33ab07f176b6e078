import TestSupport
import Testing

@testable import FreshetServer

@Suite("Reading the store alone")
struct StoreReaderTests {
    private static func load(_ yaml: String, _ environment: [String: String] = [:]) throws -> StoreLocation {
        let folder = try Folder()
        return try StoreLocation.load(
            file: folder.write(yaml, to: "freshet.yaml"),
            environment: Environment(environment)
        )
    }

    private static func problems(_ yaml: String) -> [String] {
        do {
            _ = try load(yaml)
            return []
        } catch {
            return (error as? ConfigurationError)?.problems.map(\.description) ?? ["\(error)"]
        }
    }

    @Test("what is wrong elsewhere does not matter")
    func elsewhere() throws {
        let location = try Self.load(
            """
            store: ${STORE}
            storeTimeout: soon
            sever: { port: 1 }
            fields:
              a: { ttl: 0s, source: { http: { url: https://h/${NOT_SET} } } }
              b: { source: { airtable: { base: appX, table: T } } }
            """,
            ["STORE": "redis://h"]
        )
        #expect(location == StoreLocation(url: "redis://h", origin: .file))
    }

    @Test("a file without a store leaves it to the environment")
    func unnamed() throws {
        for yaml in ["", "fields: {}"] {
            #expect(try Self.load(yaml, ["REDIS_URL": "redis://last"]).url == "redis://last")
            #expect(try Self.load(yaml).isFallback)
        }
    }

    @Test(
        "what is wrong with it has its place",
        arguments: [
            ("store: ${NOT_SET}", ":1:8: the environment variable NOT_SET is not set"),
            ("fields: {}\nstore: mysql://h", ":2:8: there is no store at mysql://"),
            ("store:", ":1:7: 'store' is empty"),
            ("store: [a]", ":1:8: 'store' is a list"),
            ("store: redis://a\nstore: redis://b", ":2:1: 'store' is given twice"),
            ("- store", ":1:1: the file is a list"),
            ("store: [", ":2:1: no valid YAML"),
        ]
    )
    func wrong(yaml: String, problem: String) {
        let problems = Self.problems(yaml)
        #expect(problems.count == 1)
        #expect(problems.first?.contains("freshet.yaml\(problem)") == true, "\(problems)")
    }

    @Test("what is wrong with it is told beside what overrides it, and that is not taken for it")
    func overridden() throws {
        func problems(_ yaml: String, flag: String) -> [String] {
            do {
                _ = try Configuration.parse(yaml, file: "f", environment: .init([:]), overrides: .init(store: flag))
                return []
            } catch {
                return (error as? ConfigurationError)?.problems.map { "\($0.origin): \($0.message)" } ?? ["\(error)"]
            }
        }
        let message = "there is no store at mysql://"
        #expect(problems("store: mysql://h\nfields: {}", flag: "memory://") == ["f: \(message)"])
        #expect(problems("store: redis://h\nfields: {}", flag: "mysql://h") == ["--store: \(message)"])
        let port = "The Redis URL cannot be understood. Its port is not between 1 and 65535."
        #expect(problems("store: redis://h:70000\nfields: {}", flag: "memory://") == ["f: \(port)"])
        for store in ["redis://h", "upstash://", "UPSTASH:///", "memory:///"] {
            #expect(problems("store: \(store)\nfields: {}", flag: "memory://").isEmpty)
        }
        let host = "f: memory:// takes neither host nor options"
        #expect(problems("store: memory://h\nfields: {}", flag: "memory://") == [host])
    }

    @Test(
        "a token is sent without TLS to neighbours only",
        arguments: [
            "http://h.org?_token=SECRET", "upstash://", "http://internal.org?_token=SECRET",
            "http://8.8.8.8?_token=SECRET", "http://172.32.0.1?_token=SECRET", "http://[2001:db8::1]?_token=SECRET",
        ]
    )
    func plainText(url: String) {
        let environment = Environment(["UPSTASH_REDIS_REST_URL": "http://h.org", "UPSTASH_REDIS_REST_TOKEN": "SECRET"])
        let problem = StoreLocation(url: url, origin: .flag, environment: environment).problem()
        #expect(problem?.message == "the token would cross the network in plain text")
    }

    @Test(
        "neighbours are this machine, names of the local network, and private addresses",
        arguments: [
            "127.0.0.1", "[::1]", "localhost", "a.localhost", "endpoint", "host.docker.internal", "Printer.LOCAL",
            "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.2", "169.254.1.1", "[fd00::1]", "[fe80::1]",
        ]
    )
    func neighbours(host: String) {
        #expect(StoreLocation(url: "http://\(host):8079?_token=t", origin: .flag).problem() == nil)
    }

    @Test(
        "user and password before a further host are no part of the first ones",
        arguments: ["redis+cluster://u:p@a:1,u2:p2@b:2", "redis+sentinel://u:p,q@a:1,b:2/m"]
    )
    func furtherCredentials(url: String) {
        let problem = StoreLocation(url: url, origin: .flag).problem()
        #expect(problem?.message == "user and password stand once, before all hosts")
    }

    @Test("advice and help name every kind of store that is taken")
    func forms() {
        let urls = [
            "memory://", "redis://h", "rediss://h", "redis+cluster://h", "redis+clusters://h", "redis+sentinel://h/m",
            "redis+sentinels://h/m", "https://h?_token=t", "http://127.0.0.1?_token=t",
            "redis+cluster://u:p%40%2C@a:1,b:2", "redis://u:p@ss@h",
        ]
        #expect(urls.allSatisfy { StoreLocation(url: $0, origin: .flag).problem() == nil })
        let text = """
            memory://, redis[s]://user:password@host:port/database, redis+cluster[s]://user:password@host:port,host:port, \
            redis+sentinel[s]://user:password@host:port,host:port/primary, upstash:// or https://host?_token=…
            """
        #expect(StoreForm.list(StoreForm.allCases) == text)
        #expect(StoreLocation(url: "mysql://h", origin: .flag).problem()?.advice == "write \(text)")
    }
}
