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
        #expect(try Configuration(url: "redis://[::1]").address == .hostname("::1", port: 6379))
        let unix = try Configuration(url: "unix://:secret@/run/redis.sock?db=2")
        #expect(unix.address == .unixSocket(path: "/run/redis.sock"))
        #expect(unix.password == "secret")
        #expect(unix.database == 2)
    }

    @Test("what no URL may have stands for itself, and leaves alone what is encoded beside it")
    func takesIllegalCharactersLiterally() throws {
        let single = try Configuration(url: "redis://us er:a^b%40c@h")
        #expect(single.username == "us er" && single.password == "a^b@c")
        #expect(try Configuration(url: "redis://:a@b:c[%5D%25ü@h").password == "a@b:c[]%ü")
        #expect(try Configuration(url: "redis+cluster://:a^b%40c@h,[::1]:7000").password == "a^b@c")
        let unix = try Configuration(url: "unix://:a^b%40c@/run/a^b%40 c.sock")
        #expect(unix.password == "a^b@c")
        #expect(unix.address == .unixSocket(path: "/run/a^b@ c.sock"))
        let file = try Configuration(url: "rediss://h?cacert=/a^b%40 [c].pem")
        #expect(file.tls?.trust == .file("/a^b@ [c].pem"))
        let watched = try Configuration(url: "redis+sentinel://:a^b%40c@h/m^%40n?sentinelPassword=d^e%40f")
        #expect(watched.password == "a^b@c")
        guard case .sentinel(let sentinel) = watched.topology else { return #expect(Bool(false), "no sentinels") }
        #expect(sentinel.primaryName == "m^@n" && sentinel.password == "d^e@f")
    }

    @Test(arguments: [
        "", "localhost:6379", "http://host", "redis://", "redis:///3", "redis://host:0", "redis://host:99999",
        "redis://host:99999999999999999999", "redis+cluster://h,[::1]:99999999999999999999",
        "redis://host/three", "redis://host/-1", "redis://host?db=1", "redis://host?cacert=/x",
        "redis://host?x=hunter2",
        "redis://:hunter2%@host", "redis://:hunter2%zz@host", "redis://:hunter2%FF@host", "rediss://h?cacert=%zz",
        "redis://hunter2@host", "redis://:hunter2 x@ho st", "redis://user:hunter2@host/a", "unix://host/path",
        "unix://",
        "redis://[]:1", "redis://h%00", "redis+cluster://h,[]:1", "unix:tmp/s", "unix://:12/hunter2@/s",
        "redis+sentinel://u:12/hunter2@h", "redis+sentinel://h/m/hunter2@h",
        "unix:///tmp/%00hunter2", "rediss://h?cacert=/%00hunter2", "redis+sentinel://h/a%00hunter2",
        "redis://host?protocol=4", "rediss://host?cacert=",
        "redis://app:1#hunter2@host", "redis://host/1#", "unix:///s#x", "redis+cluster://app:1#hunter2@host",
        "redis+sentinel://host/m?sentinelPassword=1#hunter2",
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

    @Test(arguments: [
        ("redis://h?reads=replicas", "cacert and protocol."), ("unix:///s?x=1", "protocol and db."),
        ("redis+cluster://h?db=1", "cacert, protocol and reads."),
    ])
    func namesTheParametersThatItTakes(url: String, known: String) {
        let error = #expect(throws: RedisClientError.self) { try Configuration(url: url) }
        #expect(error.map { "\($0)".hasSuffix(known) } == true)
    }

    @Test func describesNoCredentials() throws {
        let text = try "\(Configuration(url: "redis://app:hunter2@host:1/2"))"
        #expect(text == "redis://host:1/2")
        let watched = try Configuration(url: "redis+sentinel://app:hunter2@h/m?sentinelUser=s&sentinelPassword=hunter2")
        var dumped = ""
        dump(watched, to: &dumped)
        dump(watched.topology, to: &dumped)
        #expect(!"\(watched) \(watched.topology) \(dumped)".contains("hunter2"))
    }
}
