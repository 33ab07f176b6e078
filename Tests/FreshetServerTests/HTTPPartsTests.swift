import Freshet
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import FreshetServer

@Suite("Parts of HTTP")
struct HTTPPartsTests {
    @Test("a request that is refused takes no place")
    func gate() {
        let gate = RequestGate(limit: 1)
        #expect([gate.enter(), gate.enter(), gate.enter()] == [true, false, false])
        gate.leave()
        #expect(gate.enter())
    }

    @Test(
        "If-None-Match",
        arguments: [
            ("\"abc\"", true), ("W/\"abc\"", true), ("*", true), ("\"x\", \"abc\"", true),
            ("\"x\",W/\"abc\" ", true), ("abc", false), ("\"abcd\"", false), ("\"ab", false), ("", false),
            ("\"a,b\", \"abc\"", true), ("\"x\" \"abc\"", true), ("w/\"abc\"", false),
        ]
    )
    func entityTag(condition: String, matches: Bool) {
        #expect((EntityTag.match(condition, "abc") != nil) == matches)
    }

    @Test(
        "the form of the tags in If-None-Match that match",
        arguments: [
            ("\"abc\"", .strong), ("W/\"abc\"", .other), ("*", .other), ("W/\"x\", \"abc\"", .strong),
            ("\"abc\", W/\"abc\"", .other), ("\"abc\", W/\"x\"", .strong), ("\"abc\" W/abc", .strong),
        ] as [(String, EntityTag.Form)]
    )
    func formOfEntityTag(condition: String, form: EntityTag.Form) {
        #expect(EntityTag.match(condition, "abc") == form)
    }

    @Test(
        "Accept-Encoding",
        arguments: [
            (nil, false), ("", false), ("gzip", true), ("deflate, gzip;q=1.0", true), ("gzip;q=0", false),
            ("GZIP", true), ("*", true), ("*;q=0", false), ("*, gzip;q=0", false), ("identity", false), ("br", false),
            ("gzip; q=0.5", true), ("x-gzip", true), ("gzip;q=0.001", true), ("gzip;q=0.000", false),
            ("gzip;q=", false), ("gzip;q=0x1", false), ("gzip;q=1e0", false), ("gzip;q=nan", false),
        ] as [(String?, Bool)]
    )
    func acceptEncoding(header: String?, takes: Bool) {
        #expect(AcceptEncoding.takesGzip(header) == takes)
    }

    @Test("seconds are rounded up")
    func seconds() {
        #expect(CacheStatus.seconds(.milliseconds(1)) == 1)
        #expect(CacheStatus.seconds(.milliseconds(-1)) == 0)
        #expect(CacheStatus.seconds(.milliseconds(-2200)) == -2)
        #expect(CacheStatus.seconds(.seconds(5)) == 5)
        #expect(CacheStatus.seconds(.zero) == 0)
    }

    @Test("parameters of a request")
    func parameters() throws {
        let forced = try FieldParameters(force: true, .seconds(60))
        #expect(try FieldParameters("x=1&forceRefresh=true&maxAge=60&y", of: .read) == forced)
        #expect(try FieldParameters("forceRefresh=false", of: .read) == FieldParameters(nil, of: .read))
        #expect(try FieldParameters("purge=1", of: .refresh).purges)
        #expect(try FieldParameters("soft=true", of: .invalidation).isSoft)
        #expect(try FieldParameters("%6daxAge=%36%30&force%52efresh=%31&100%", of: .read) == forced)
        for large in ["4294967295", "4294967296", "99999999999999999999999"] {
            #expect(try FieldParameters("maxAge=\(large)", of: .read).maxAge == .seconds(UInt32.max))
        }
        let bad: [(String, FieldParameters.Kind)] = [
            ("purge=yes", .refresh), ("soft", .invalidation), ("forceRefresh=yes", .read), ("forceRefresh", .read),
            ("maxAge=", .read), ("maxAge=-1", .read), ("maxAge=1s", .read), ("maxAge=+1", .read), ("maxAge=%3", .read),
            ("maxAge=%zz1", .read),
        ]
        for (query, kind) in bad {
            #expect(throws: (any Error).self) { try FieldParameters(query, of: kind) }
        }
    }

    @Test("parameters of other kinds of requests are ignored, whatever they say")
    func otherParameters() throws {
        let others: [(String, FieldParameters.Kind)] = [
            ("purge=1&soft=no", .read), ("forceRefresh=2&maxAge=x&soft=1", .refresh),
            ("forceRefresh&maxAge=-1&purge=yes", .invalidation),
        ]
        for (query, kind) in others {
            #expect(try FieldParameters(query, of: kind) == FieldParameters(nil, of: kind))
        }
    }

    @Test(
        "paths in their normal form",
        arguments: [
            ("/api/fields/%61", "/api/fields/a"), ("/x%3Cy%3e/%5E", "/x<y>/^"), ("/a%2Fb%3f%25%20%c3%B1%00", nil),
            ("/é", nil), ("/%2561", nil), ("/%2e%2E", "/.."),
        ] as [(String, String?)]
    )
    func normalPath(path: String, normal: String?) {
        #expect(PercentEncoding.normalPath(path[...]) == normal ?? path)
    }

    @Test("a % that begins no escape", arguments: ["/%", "/%6", "/%6g", "/%+1", "/%é"])
    func badEscape(path: String) {
        #expect(PercentEncoding.normalPath(path[...]) == nil)
    }

    @Test("a 503 that knows no better asks for another try in a second; other answers ask for none")
    func retryAfter() {
        let codes: [CacheError.Code: String?] = [.shuttingDown: "1", .storeUnavailable: "1", .sourceFailed: nil]
        for (code, pause) in codes {
            let answer = ErrorResponse.make(CacheError(code, "no"), "load", field: "agents")
            #expect(answer.headers[.retryAfter] == pause)
        }
    }

    @Test("gzip makes smaller, or nothing")
    func gzip() throws {
        let text = ByteBuffer(string: String(repeating: "agents ", count: 1000))
        let packed = try #require(Gzip.compress(text))
        #expect(packed.readableBytes < 200)
        #expect(packed.getBytes(at: 0, length: 2) == [0x1F, 0x8B])
        var generator = SystemRandomNumberGenerator()
        let noise = ByteBuffer(bytes: (0..<2000).map { _ in UInt8.random(in: 0...255, using: &generator) })
        #expect(Gzip.compress(noise) == nil)
        #expect(Gzip.compress(ByteBuffer()) == nil)
    }

    @Test("loopback hosts", arguments: ["localhost", "127.0.0.1", "127.8.9.10", "::1", "[::1]", "LOCALHOST"])
    func loopback(host: String) {
        #expect(ServerSettings.isLoopback(host))
    }

    @Test(
        "other hosts",
        arguments: ["127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "localhost.evil.example", "", "127.1", "::"]
    )
    func notLoopback(host: String) {
        #expect(!ServerSettings.isLoopback(host))
    }
}

extension FieldParameters {
    fileprivate init(force: Bool, _ maxAge: Duration?) throws {
        try self.init(nil, of: .read)
        forceRefresh = force
        self.maxAge = maxAge
    }
}
