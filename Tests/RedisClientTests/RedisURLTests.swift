import RESP
import RedisClient
import Testing

@Suite struct RedisURLTests {
    typealias Configuration = RedisClient.Configuration

    @Test func readsAllParts() throws {
        let full = try Configuration(
            url: "rediss://app:p%40ss%2Fw%3Ard@cache.example:7000/3?protocol=2&cacert=/etc/ca.pem"
        )
        #expect(full.address == .hostname("cache.example", port: 7000))
        #expect(full.username == "app")
        #expect(full.password == "p@ss/w:rd")
        #expect(full.database == 3)
        #expect(full.version == .resp2)
        #expect(full.tls?.trust == .file("/etc/ca.pem"))
        let plain = try Configuration(url: "redis://localhost")
        #expect(plain.address == .hostname("localhost", port: 6379))
        #expect(plain.tls == nil && plain.username == nil && plain.password == nil && plain.database == 0)
        #expect(try Configuration(url: "redis://:secret@h").password == "secret")
        #expect(try Configuration(url: "redis://:secret@h").username == nil)
        #expect(try Configuration(url: "redis://[::1]:6380/0").address == .hostname("::1", port: 6380))
        let unix = try Configuration(url: "unix://:secret@/run/redis.sock?db=2")
        #expect(unix.address == .unixSocket(path: "/run/redis.sock"))
        #expect(unix.password == "secret")
        #expect(unix.database == 2)
    }

    @Test(arguments: [
        "", "localhost:6379", "http://host", "redis://", "redis:///3", "redis://host:0", "redis://host:99999",
        "redis://host/three", "redis://host/-1", "redis://host?db=1", "redis://host?cacert=/x",
        "redis://host?x=hunter2",
        "redis://hunter2@host", "redis://:hunter2 x@ho st", "redis://user:hunter2@host/a", "unix://host/path",
        "unix://",
        "redis://host?protocol=4", "rediss://host?cacert=",
    ])
    func refusesClearlyAndKeepsSecrets(url: String) {
        do {
            let configuration = try Configuration(url: url)
            Issue.record("\(url) was read as \(configuration)")
        } catch let error as RedisClientError {
            #expect(error.code == .invalidURL)
            #expect(!"\(error)".contains("hunter2"))
        } catch {
            Issue.record(error)
        }
    }

    @Test func describesNoCredentials() throws {
        let text = try "\(Configuration(url: "redis://app:hunter2@host:1/2"))"
        #expect(text == "redis://host:1/2")
    }
}
