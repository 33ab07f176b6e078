import AsyncHTTPClient
import Foundation
import Freshet
import FreshetSources
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@Suite("http source")
struct HTTPSourceTests {
    private static let secret = "s3cr3t"

    private func load(_ url: String, _ context: LoadContext = LoadContext()) async throws -> LoadResult<JSONValue> {
        try await HTTPSource(url: url, headers: ["Authorization": "Bearer \(Self.secret)"]).load(context)
    }

    @Test("A value comes with its ETag, and the next request is conditional")
    func etag() async throws {
        try await TestServer.with { request in
            request.headers[.ifNoneMatch] == "\"v1\""
                ? Response("", status: 304, type: nil, [.eTag: "\"v1\""])
                : Response(#"{"eur":1}"#, [.eTag: "\"v1\"", .lastModified: "Sun, 06 Nov 1994 08:49:37 GMT"])
        } _: { server in
            guard case .value(let value, let details) = try await load(server.url) else { throw CancellationError() }
            #expect(value == ["eur": 1])
            #expect(details.etag?.hasSuffix(":\"v1\"") == true)
            let again = try await load(server.url, LoadContext(etag: details.etag))
            guard case .notModified = again else {
                Issue.record("\(again)")
                return
            }
            #expect(server.requests.first?.headers[.ifNoneMatch] == nil)
            #expect(server.requests.first?.headers[.authorization] == "Bearer \(Self.secret)")
        }
    }

    @Test("Without an ETag, the date of the last change serves")
    func lastModified() async throws {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT"
        try await TestServer.with { request in
            request.headers[.ifModifiedSince] == date
                ? Response("", status: 304, type: nil) : Response("[]", [.lastModified: date])
        } _: { server in
            guard case .value(_, let details) = try await load(server.url) else { throw CancellationError() }
            let again = try await load(server.url, LoadContext(etag: details.etag))
            guard case .notModified = again else {
                Issue.record("\(again)")
                return
            }
            #expect(server.requests.last?.headers[.ifNoneMatch] == nil)
        }
    }

    @Test("A date that the next change may have, too, makes no request conditional")
    func lateChange() async throws {
        let server = try await RawServer.start { _ in
            RawServer.Answer(
                "200 OK",
                "Date: Sun, 06 Nov 1994 08:49:38 GMT",
                "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
                "Content-Type: application/json",
                "Content-Length: 2",
                body: ByteBuffer(string: "[]")
            )
        }
        guard case .value(_, let details) = try await load(server.url) else { throw CancellationError() }
        #expect(details.etag == nil)
    }

    @Test("The validator of one resource goes to no other that a redirect leads to later", arguments: [true, false])
    func rollback(isDated: Bool) async throws {
        let (monday, tuesday) = ("Mon, 07 Nov 1994 08:49:37 GMT", "Tue, 08 Nov 1994 08:49:37 GMT")
        let isBack = NIOLockedValueBox(false)
        try await TestServer.with { request in
            let path = request.uri.path
            if path == "/latest.json" {
                let location = isBack.withLockedValue { $0 } ? "/v40.json" : "/v41.json"
                return Response("", status: 302, [.location: location])
            }
            // Neither has changed since Tuesday, and both have the same tag.
            if request.headers[.ifModifiedSince] == tuesday || request.headers[.ifNoneMatch] == "\"1\"" {
                return Response("", status: 304, type: nil)
            }
            let changed = path == "/v41.json" ? tuesday : monday
            return Response("\"\(path)\"", isDated ? [.lastModified: changed] : [.eTag: "\"1\""])
        } _: { server in
            let url = server.url + "/latest.json"
            guard case .value(let newer, let details) = try await load(url) else { throw CancellationError() }
            #expect(newer == "/v41.json")
            let again = try await load(url, LoadContext(etag: details.etag))
            guard case .notModified = again else {
                Issue.record("\(again)")
                return
            }
            isBack.withLockedValue { $0 = true }
            let older = try value(try await load(url, LoadContext(etag: details.etag)))
            #expect(older == "/v40.json")
            let conditional = server.requests.filter {
                $0.headers[.ifModifiedSince] != nil || $0.headers[.ifNoneMatch] != nil
            }
            #expect(conditional.map(\.uri.path) == ["/v41.json"])
        }
    }

    @Test("A 304 of another resource than the validator's is an error")
    func foreignNotModified() async throws {
        try await TestServer.with { request in
            switch request.uri.path {
            case "/latest.json": Response("", status: 302, [.location: "/v40.json"])
            case "/v40.json": Response("", status: 304, type: nil)
            default: Response("[]", [.eTag: "\"1\""])
            }
        } _: { server in
            guard case .value(_, let details) = try await load(server.url + "/v41.json") else {
                throw CancellationError()
            }
            let context = LoadContext(etag: details.etag)
            let error = await cacheError { try await load(server.url + "/latest.json", context) }
            #expect(error?.code == .sourceFailed)
            #expect(error?.message.contains("(304)") == true)
        }
    }

    @Test(
        "A validator that was stored without its URL is not sent",
        arguments: ["\"v1\"", "date:Sun, 06 Nov 1994 08:49:37 GMT"]
    )
    func olderForm(_ stored: String) async throws {
        try await TestServer.with { _ in
            Response("[]", [.eTag: "\"v1\""])
        } _: { server in
            _ = try value(try await load(server.url, LoadContext(etag: stored)))
            let headers = try #require(server.requests.first?.headers)
            #expect(headers[.ifNoneMatch] == nil && headers[.ifModifiedSince] == nil)
        }
    }

    @Test("What is encoded in a URL is asked for as it is beside what is illegal, in redirects too")
    func encoded() async throws {
        try await TestServer.with { request in
            request.uri.path == "/a"
                ? Response("", status: 302, [.location: "/b c/caf%C3%A9?x[]=%5B"])
                : Response("\"\(request.uri.string)\"")
        } _: { server in
            let loaded = try value(try await load(server.url + "/a?filters[title][$eq]=caf%C3%A9"))
            #expect(loaded == "/b%20c/caf%C3%A9?x%5B%5D=%5B")
            #expect(server.requests.first?.uri.string == "/a?filters%5Btitle%5D%5B$eq%5D=caf%C3%A9")
        }
    }

    @Test("Many loads from one slow host are asked for at once")
    func manyAtOnce() async throws {
        let (ends, end) = AsyncStream<Void>.makeStream()
        let isOver = Task { for await _ in ends {} }
        try await TestServer.with { _ in
            await isOver.value
            return Response("1")
        } _: { server in
            let loads = (0..<12).map { _ in Task { try await load(server.url) } }
            #expect(await eventually { server.requests.count == 12 })
            end.finish()
            for load in loads {
                let result = try await load.value
                #expect(try value(result) == 1)
            }
        }
    }

    @Test("A forced load asks caches on the way to step aside")
    func forced() async throws {
        try await TestServer.with { _ in
            Response("1")
        } _: { server in
            _ = try await load(server.url, LoadContext(isForced: true))
            _ = try await load(server.url)
            #expect(server.requests.map { $0.headers[.cacheControl] } == ["no-cache", nil])
        }
    }

    @Test("404 and 410 mean that there is no value", arguments: [404, 410])
    func absent(_ status: Int) async throws {
        try await TestServer.with { _ in
            Response("gone", status: status, type: "text/html")
        } _: { server in
            let result = try await load(server.url)
            guard case .absent = result else {
                Issue.record("\(result)")
                return
            }
        }
    }

    @Test(
        "Other statuses are errors that name the URL and no secret",
        arguments: [400, 401, 402, 403, 418, 500, 502, 304, 204, 429, 503]
    )
    func statuses(_ status: Int) async throws {
        try await TestServer.with { _ in
            Response("", status: status, [429, 503].contains(status) ? [.retryAfter: "7"] : [:])
        } _: { server in
            let error = await cacheError { try await load(server.url + "/rates?key=\(Self.secret)") }
            #expect(error?.code == (status == 429 ? .overloaded : .sourceFailed))
            #expect(error?.message.contains("\(server.url) ") == true)
            #expect(error?.message.contains("(\(status))") == true)
            #expect(error.map { !"\($0)".contains(Self.secret) } == true)
            #expect(error?.refusal == [401: .credentials, 402: .quota, 403: .credentials][status])
            #expect(error?.retryAfter == ([429, 503].contains(status) ? .seconds(7) : nil))
        }
    }

    @Test(
        "JSON is taken under all its names, and nothing else",
        arguments: [
            ("application/json", true), ("application/json; charset=utf-8", true), ("application/ld+json", true),
            ("application/vnd.api+json;v=1", true), ("text/json", true), ("text/plain", true), (nil, true),
            ("APPLICATION/JSON", true), ("text/html", false), ("application/xml", false), ("application/jsonp", false),
            (String(repeating: "x", count: 9000), false),
        ]
    )
    func contentTypes(_ type: String?, _ isTaken: Bool) async throws {
        try await TestServer.with { _ in
            Response("[1]", type: type)
        } _: { server in
            if isTaken {
                let loaded = try value(try await load(server.url))
                #expect(loaded == [1])
            } else {
                let error = await cacheError { try await load(server.url) }
                #expect(error?.code == .sourceFailed)
                #expect(error.map { $0.message.utf8.count < 200 } == true)
            }
        }
    }

    @Test("Cut-off and broken bodies are errors", arguments: ["", "[1,", "<html>", "nul", "[1] trailing", "\u{0}"])
    func brokenBodies(_ body: String) async throws {
        try await TestServer.with { _ in
            Response(body)
        } _: { server in
            #expect(await cacheError { try await load(server.url) }?.code == .sourceFailed)
        }
    }

    @Test(
        "What is wrong with a body is told without the names of types",
        arguments: [
            ("", "empty"), ("1e400", "a number"), ("{\"a\":\n[1,", "it ends too soon, after 9 bytes, in line 2"),
        ]
    )
    func wordsOfBrokenBodies(_ body: String, _ words: String) async throws {
        try await TestServer.with { _ in
            Response(body)
        } _: { server in
            let message = await cacheError { try await load(server.url) }?.message
            let start = "the answer of \(server.url) cannot be read: the bytes are no JSON: \(words)"
            #expect(message?.hasPrefix(start) == true)
        }
    }

    @Test("A connection that breaks in the middle of the body is an error")
    func cut() async throws {
        try await TestServer.with { _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(contentLength: 1000) { writer in
                    try await writer.write(ByteBuffer(string: "[1]"))
                    throw CancellationError()
                }
            )
        } _: { server in
            #expect(await cacheError { try await load(server.url) }?.code == .sourceFailed)
        }
    }

    private static let one = RawServer.Answer(
        "200 OK",
        "Content-Type: application/json",
        "Content-Length: 1",
        body: ByteBuffer(string: "1")
    )
    /// Ends the connection instead.
    private static let nothing = RawServer.Answer(raw: "")

    @Test("A connection that ends as it is used again fails no load: another one is asked")
    func keptConnection() async throws {
        let count = NIOLockedValueBox(0)
        let server = try await RawServer.start { _ in
            let isSecond = count.withLockedValue { count in
                count += 1
                return count == 2
            }
            return isSecond ? Self.nothing : Self.one
        }
        for requests in [1, 3] {
            let loaded = try value(try await load(server.url))
            #expect(loaded == 1)
            #expect(server.requests.count == requests)
        }
    }

    @Test("A server that ends every connection is asked twice")
    func everyConnection() async throws {
        let server = try await RawServer.start { _ in Self.nothing }
        let error = await cacheError { try await load(server.url) }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message == "asking \(server.url) failed: the connection broke")
        #expect(server.requests.count == 2)
    }

    @Test("HTTP/2 is not spoken: a connection that is dead would be used on and on")
    func offersOnlyHTTP1() async throws {
        let listener = try await SilentListener.start()
        let source = try HTTPSource(url: listener.url)
        let load = Task { try await source.load(LoadContext()) }
        #expect(await eventually { listener.greetings.contains { $0.contains("http/1.1") } })
        #expect(listener.greetings.allSatisfy { $0.contains(SilentListener.http1Only) })
        load.cancel()
        await #expect(throws: CancellationError.self) { try await load.value }
    }

    @Test("An answer over the size limit is an error, one at the limit is not")
    func sizeLimit() async throws {
        let body = #""\#(String(repeating: "x", count: 998))""#
        try await TestServer.with { _ in
            Response(body)
        } _: { server in
            for (limit, fits) in [(1000, true), (999, false)] {
                var configuration = HTTPSource.Configuration()
                configuration.maxBytes = limit
                let source = try HTTPSource(url: server.url, configuration: configuration)
                if fits {
                    _ = try await source.load(LoadContext())
                } else {
                    #expect(await cacheError { try await source.load(LoadContext()) }?.message.contains("999") == true)
                }
            }
        }
    }

    /// Compressed for whoever takes that.
    private static func rates(_ request: Request) -> Response {
        guard request.headers[.acceptEncoding]?.contains("gzip") == true else { return Response(#"{"rates":[1,2,3]}"#) }
        let body = Data(base64Encoded: "H4sIAAAAAAACA6tWKkosSS1Wsoo21DHSMY6tBQD72jIqEQAAAA==") ?? Data()
        return Response(
            status: .ok,
            headers: [.contentType: "application/json", .contentEncoding: "gzip"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body))
        )
    }

    @Test("Compressed answers are understood")
    func gzip() async throws {
        try await TestServer.with { request in
            Self.rates(request)
        } _: { server in
            let loaded = try value(try await load(server.url))
            #expect(loaded == ["rates": [1, 2, 3]])
            #expect(server.requests.map { $0.headers[.acceptEncoding] } == ["gzip"])
        }
    }

    /// Decompresses nothing.
    private static let plainClient = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: HTTPClient.Configuration(redirectConfiguration: .disallow)
    )

    @Test("A client of one's own asks for compressed answers only if it decompresses them")
    func ownClient() async throws {
        try await TestServer.with { request in
            Self.rates(request)
        } _: { server in
            for client in [Self.plainClient, HTTPClient.shared] {
                let source = try HTTPSource(url: server.url, httpClient: client)
                let loaded = try value(try await source.load(LoadContext()))
                #expect(loaded == ["rates": [1, 2, 3]])
            }
            #expect(server.requests.map { $0.headers[.acceptEncoding] } == [nil, "deflate, gzip"])
        }
    }

    @Test("Neither headers nor what may hold a key in the URL are printed")
    func printsNoSecret() throws {
        let url = "https://example.com:8443/\(Self.secret)?key=\(Self.secret)"
        let source = try HTTPSource(url: url, headers: ["Authorization": "Bearer \(Self.secret)"])
        #expect("\(source)" == "https://example.com:8443")
        #expect(!printed(source).contains(Self.secret))
    }

    /// A list of 100,000 zeros in 235 bytes.
    private static let zeros =
        Data(
            base64Encoded:
                "H4sIAAAAAAACA+3CMQ0AAAgDMEMc80PwbwMN+5t2Mw\(String(repeating: "A", count: 256))BA6R62apLoQQ0DAA=="
        )
        ?? Data()

    @Test("Only the size of what comes out limits how well an answer is compressed")
    func compressedWell() async throws {
        try await TestServer.with { _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json", .contentEncoding: "gzip"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: Self.zeros))
            )
        } _: { server in
            let loaded = try value(try await load(server.url))
            #expect(loaded.array?.count == 100_000)
            var configuration = HTTPSource.Configuration()
            configuration.maxBytes = 200_000
            let source = try HTTPSource(url: server.url, configuration: configuration)
            let error = await cacheError { try await source.load(LoadContext()) }
            #expect(error?.message.contains("larger than 200000 bytes") == true)
        }
    }

    @Test("A validator that other servers would choke on is neither kept nor sent")
    func longValidator() async throws {
        let long = "\"\(String(repeating: "x", count: 5000))\""
        let date = "Sun, 06 Nov 1994 08:49:37 GMT"
        try await TestServer.with { request in
            Response("1", [.eTag: long, .lastModified: date])
        } _: { server in
            guard case .value(_, let details) = try await load(server.url) else { throw CancellationError() }
            let stored = try #require(details.etag)
            #expect(stored.hasSuffix(":date:\(date)"))
            let mark = stored.prefix { $0 != ":" }
            _ = try await load(server.url, LoadContext(etag: "\(mark):\(long)"))
            #expect(server.requests.last?.headers[.ifNoneMatch] == nil)
        }
    }

    @Test("Redirects are followed within an origin with the headers")
    func redirects() async throws {
        try await TestServer.with { request in
            switch request.uri.path {
            case "/a": Response("", status: 302, [.location: "/b/"])
            case "/b/": Response("", status: 308, [.location: "c?x=1"])
            default: Response("\"\(request.uri.string)\"")
            }
        } _: { server in
            let loaded = try value(try await load(server.url + "/a"))
            #expect(loaded == "/b/c?x=1")
            #expect(server.requests.allSatisfy { $0.headers[.authorization] == "Bearer \(Self.secret)" })
        }
    }

    @Test("Redirects elsewhere take no header with them, and get them back at home")
    func redirectsElsewhere() async throws {
        try await TestServer.with { _ in
            Response("[2]")
        } _: { other in
            try await TestServer.with { _ in
                Response("", status: 301, [.location: other.url])
            } _: { server in
                let source = try HTTPSource(url: server.url, headers: ["X-Api-Key": Self.secret, "Cookie": "a=1"])
                let loaded = try value(try await source.load(LoadContext()))
                #expect(loaded == [2])
                let headers = try #require(other.requests.first?.headers)
                #expect(!headers.contains { $0.value.contains(Self.secret) || $0.name.canonicalName == "cookie" })
                #expect(server.requests.first?.headers.contains { $0.value == Self.secret } == true)
            }
        }
    }

    @Test(
        "Redirects have an end, and lead to http and https only",
        arguments: [
            "/again", "file:///etc/passwd", "", "http://", "http://127.0.0.1:99999/x", "http://[::1]:70000/",
            "//127.0.0.1:65536", "http://127.0.0.1:0/",
        ]
    )
    func badRedirects(_ location: String) async throws {
        try await TestServer.with { _ in
            Response("", status: 302, location.isEmpty ? [:] : [.location: location])
        } _: { server in
            #expect(await cacheError { try await load(server.url) }?.code == .sourceFailed)
            #expect(server.requests.count == (location == "/again" ? 6 : 1))
        }
    }

    @Test("A server that stops in the middle of the body is a timeout")
    func stall() async throws {
        try await TestServer.with { _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(contentLength: 100) { writer in
                    try await writer.write(ByteBuffer(string: "["))
                    try await Task.sleep(for: .seconds(3600))
                }
            )
        } _: { server in
            var configuration = HTTPSource.Configuration()
            configuration.timeout = .milliseconds(200)
            let source = try HTTPSource(url: server.url, configuration: configuration)
            #expect(await cacheError { try await source.load(LoadContext()) }?.code == .sourceTimedOut)
        }
    }

    @Test("A server that never answers is a timeout, and cancelling frees the caller")
    func hang() async throws {
        try await TestServer.with { _ in
            try await Task.sleep(for: .seconds(3600))
            return Response("1")
        } _: { server in
            var configuration = HTTPSource.Configuration()
            configuration.timeout = .milliseconds(200)
            let source = try HTTPSource(url: server.url, configuration: configuration)
            #expect(await cacheError { try await source.load(LoadContext()) }?.code == .sourceTimedOut)

            let patient = try HTTPSource(url: server.url + "/patient")
            let task = Task { try await patient.load(LoadContext()) }
            // The first request may have been given up before it arrived.
            while !server.requests.contains(where: { $0.uri.path == "/patient" }) { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test("A server that is not there is an error")
    func dead() async throws {
        let source = try HTTPSource(url: "http://127.0.0.1:1/x")
        let error = await cacheError { try await source.load(LoadContext()) }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message == "asking http://127.0.0.1:1 failed: the connection is refused")
    }

    @Test("A name that is not found is told")
    func unknownHost() async throws {
        // Too long a label: no server of names is asked.
        let url = "http://\(String(repeating: "a", count: 64)).invalid"
        let error = await cacheError { try await load(url + "/?key=\(Self.secret)") }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message == "asking \(url) failed: its host's name is not found")
    }

    @Test("A certificate that is not trusted is told")
    func untrusted() async throws {
        let server = try await RedisServer.start(certificates: try await TestCertificates())
        let url = "https://127.0.0.1:\(try #require(server.tlsPort))"
        let error = await cacheError { try await load(url) }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message == "asking \(url) failed: its certificate is not trusted")
    }

    @Test("TLS to a plain port, and none to one for TLS, are told")
    func otherProtocol() async throws {
        let plain = try await RawServer.start { _ in RawServer.Answer("400 Bad Request") }
        let secure = plain.url.replacingOccurrences(of: "http:", with: "https:")
        let noTLS = await cacheError { try await load(secure) }
        #expect(noTLS?.message.hasPrefix("asking \(secure) failed: TLS could not be agreed on") == true)

        // What a server says that got no TLS.
        let alert = try await RawServer.start { _ in RawServer.Answer(raw: "\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}F") }
        let noHTTP = await cacheError { try await load(alert.url) }
        #expect(noHTTP?.message.hasPrefix("asking \(alert.url) failed: what it answers is no HTTP") == true)
    }

    @Test(
        "A status below 100 is no HTTP, with a body or without, and the next load is as any",
        arguments: [("000", ""), ("000", "[1]"), ("099", ""), ("099", "[1]")]
    )
    func lowStatus(_ status: String, _ body: String) async throws {
        let server = try await RawServer.start { request in
            guard request.hasPrefix("get /low ") else {
                return RawServer.Answer("200 OK", "Content-Length: 1", body: ByteBuffer(string: "1"))
            }
            let length = "Content-Length: \(body.utf8.count)"
            return RawServer.Answer("\(status) X", length, body: ByteBuffer(string: body))
        }
        let error = await cacheError { try await load(server.url + "/low") }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message.hasPrefix("asking \(server.url) failed: what it answers is no HTTP") == true)
        let loaded = try value(try await load(server.url))
        #expect(loaded == 1)
    }

    @Test("A compressed body that cannot be read is told")
    func brokenCompression() async throws {
        try await TestServer.with { _ in
            Response("[1, 2, 3]", [.contentEncoding: "gzip"])
        } _: { server in
            let error = await cacheError { try await load(server.url) }
            #expect(error?.code == .sourceFailed)
            #expect(error?.message == "asking \(server.url) failed: the compressed body cannot be read")
        }
    }

    @Test("The host that failed is named, not the one that redirected to it")
    func deadBehindRedirect() async throws {
        try await TestServer.with { _ in
            Response("", status: 302, [.location: "http://127.0.0.1:1/?key=\(Self.secret)"])
        } _: { server in
            let error = await cacheError { try await load(server.url) }
            #expect(error?.message == "asking http://127.0.0.1:1 failed: the connection is refused")
        }
    }

    @Test(
        "Bad URLs and headers are configuration errors that repeat no secret",
        arguments: [
            ("", [:]), ("example.com", [:]), ("ftp://example.com", [:]), ("https://", [:]),
            ("https://example.com/caf%E9", [:]), ("https://b%C3%BCcher.example", [:]),
            ("http://127.0.0.1%0d%0aX:1/", [:]),
            ("https://user:s3cr3t@example.com", [:]), ("https://example.com", ["": "x"]),
            ("http://127.0.0.1:99999/?s3cr3t", [:]), ("https://[::1]:65536/?s3cr3t", [:]), ("http://h:0", [:]),
            ("https://example.com", ["a b": "x"]), ("https://example.com", ["X(Key)": "x"]),
            ("https://example.com", ["X-Ñ": "x"]), ("https://example.com", ["a,b": "x"]),
            ("https://example.com", ["X-Key": "s3cr3t\r\nEvil: 1"]),
        ] as [(String, [String: String])]
    )
    func badConfiguration(_ url: String, _ headers: [String: String]) async {
        let error = await cacheError { try HTTPSource(url: url, headers: headers) }
        #expect(error?.code == .configuration)
        #expect(error.map { !"\($0)".contains(Self.secret) } == true)
    }
}
