import AsyncHTTPClient
import Foundation
import Freshet
import HTTPAsking
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import FreshetSources

@Suite("http source: its parts")
struct HTTPPartsTests {
    @Test("Retry-After is a number of seconds or a date, a day at most")
    func retryAfter() {
        let now = Date(timeIntervalSince1970: 784_111_777)  // Sun, 06 Nov 1994 08:49:37 GMT
        let samples: [(String, Duration?)] = [
            ("120", .seconds(120)), (" 0 ", .zero), ("1000000000", .seconds(86_400)),
            (String(repeating: "9", count: 400), .seconds(86_400)), ("-5", nil), ("soon", nil), ("", nil),
            ("inf", nil), ("1e3", nil), ("0x10", nil), ("+5", nil), ("1.5", nil), ("٣", nil),
            ("Sun, 06 Nov 1994 08:50:07 GMT", .seconds(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", .zero), ("Fri, 31 Dec 1999 23:59:59 GMT", .seconds(86_400)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", .seconds(30)), ("Sun Nov  6 08:50:07 1994", .seconds(30)),
            ("Wed Nov 16 08:50:07 1994", .seconds(86_400)), ("Sun Nov 6", nil),
        ]
        for (text, expected) in samples {
            #expect(HTTPAsking.retryAfter(["Retry-After": text], now: now) == expected, "\(text)")
        }
        #expect(HTTPAsking.retryAfter([:], now: now) == nil)
    }

    @Test(
        "The type of a body ends before its parameters",
        arguments: [
            ("application/json", "application/json"), ("Application/JSON; charset=utf-8", "application/json"),
            ("text/plain\t;charset=utf-8", "text/plain"), ("a/b+json ;x", "a/b+json"), ("", ""), (nil, ""),
        ] as [(String?, String)]
    )
    func mediaType(header: String?, type: String) {
        #expect(HTTPAsking.mediaType(header.map { ["Content-Type": $0] } ?? [:]) == type)
    }

    @Test("A connection that ended is told from one that could not be made, a timeout and a cancellation")
    func connectionLost() {
        let lost: [any Error] = [
            HTTPClientError.remoteConnectionClosed, ChannelError.ioOnClosedChannel,
            IOError(errnoCode: ECONNRESET, reason: "read"), IOError(errnoCode: EPIPE, reason: "write"),
        ]
        for error in lost { #expect(HTTPAsking.isConnectionLost(error), "\(error)") }
        let others: [any Error] = [
            HTTPClientError.deadlineExceeded, HTTPClientError.connectTimeout, HTTPClientError.cancelled,
            HTTPClientError.getConnectionFromPoolTimeout, CancellationError(),
            IOError(errnoCode: ECONNREFUSED, reason: "connect"),
        ]
        for error in others { #expect(!HTTPAsking.isConnectionLost(error), "\(error)") }
    }

    @Test("https does not redirect to http")
    func downgrade() throws {
        let target = try HTTPTarget("https://example.com/a")
        #expect { try target.redirected(to: "http://example.com/a") } throws: {
            ($0 as? CacheError)?.code == .sourceFailed
        }
        #expect(try target.redirected(to: "//other.example/b").url == "https://other.example/b")
    }

    @Test("The origin is scheme, host and port")
    func origins() throws {
        let home = try HTTPTarget("https://example.com/a#part")
        #expect(home.url == "https://example.com/a")
        #expect(try HTTPTarget("HTTPS://EXAMPLE.com:443/b").origin == home.origin)
        for other in ["http://example.com/a", "https://example.com:444/a", "https://www.example.com/a"] {
            #expect(try HTTPTarget(other).origin != home.origin)
        }
    }

    @Test(
        "An address of IPv6 is named in brackets",
        arguments: ["http://[::1]", "https://[::1]:8443", "http://[fe80::1%25lo]:80"]
    )
    func bracketed(_ url: String) throws {
        #expect(try HTTPTarget(url + "/a").name == url)
    }

    @Test("Who writes an international name as it is spoken is told how to write it")
    func spokenHost() throws {
        let error = try #require(throws: CacheError.self) { try HTTPTarget("https://b%C3%BCcher.example/") }
        #expect(error.message.contains("an international name as xn--…"))
        #expect(try HTTPTarget("https://xn--bcher-kva.example/").name == "https://xn--bcher-kva.example")
    }

    @Test(
        "What is encoded in a URL stays so beside what is illegal, and the authority is left alone",
        arguments: [
            ("https://h/a?filters[title][$eq]=caf%C3%A9", "https://h/a?filters%5Btitle%5D%5B$eq%5D=caf%C3%A9"),
            ("https://h/caf%C3%A9/é?é=%2B+", "https://h/caf%C3%A9/%C3%A9?%C3%A9=%2B+"),
            ("https://h/a b%20c?{\"d\":\"%22\"}", "https://h/a%20b%20c?%7B%22d%22:%22%22%22%7D"),
            ("https://h/|^`<>\\%7C", "https://h/%7C%5E%60%3C%3E%5C%7C"),
            ("https://h/100%?a=5%&b=%zz%4&c=%%41 ", "https://h/100%25?a=5%25&b=%25zz%254&c=%25%41%20"),
            ("https://h/a?b=%5B[#c#%5B[", "https://h/a?b=%5B%5B"),
            ("https://h/\r\nX: y%20?z=\u{0}\t\u{7F}%00", "https://h/%0D%0AX:%20y%20?z=%00%09%7F%00"),
            ("https://h/\u{301}a%41", "https://h/%CC%81a%41"), ("https://h?a=[%5D", "https://h?a=%5B%5D"),
            ("http://[::1]:8080/a[%31]", "http://[::1]:8080/a%5B%31%5D"),
            ("https://h/-._~!$&'()*+,;=:@/a%2Fb?-._~!$&'()*+,;=:@/?", nil), ("https://h/", nil), ("https://h", nil),
        ] as [(String, String?)]
    )
    func legalURLs(_ text: String, _ legal: String?) throws {
        #expect(try HTTPTarget(text).url == (legal ?? text))
    }

    @Test("An international host is what it was before there was anything illegal behind it")
    func internationalHost() throws {
        let plain = try #require(URL(string: "https://münchen.example/")).absoluteString
        #expect(HTTPAsking.url("https://münchen.example/ü%41")?.absoluteString == plain + "%C3%BC%41")
    }

    @Test(
        "What is encoded in a redirect stays so, whatever it is relative to",
        arguments: [
            ("g?h[i]=caf%C3%A9", "https://h/d/g?h%5Bi%5D=caf%C3%A9"), ("/g h%20", "https://h/g%20h%20"),
            ("?x={%7B", "https://h/d/e?x=%7B%7B"), ("../[%5B", "https://h/%5B%5B"), ("#é%41", "https://h/d/e?f"),
            ("//[::1]:81/a[%41", "https://[::1]:81/a%5B%41"), ("https://o/é%C3%A9", "https://o/%C3%A9%C3%A9"),
            ("/50%", "https://h/50%25"), ("/a?b=http://c/[%5B", "https://h/a?b=http://c/%5B%5B"),
            ("é/x:%41", "https://h/d/%C3%A9/x:%41"),
        ]
    )
    func legalRedirects(_ location: String, _ url: String) throws {
        #expect(try HTTPTarget("https://h/d/e?f").redirected(to: location).url == url)
    }

    private static let dates: HTTPHeaders = [
        "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT", "Date": "Sun, 06 Nov 1994 08:49:39 GMT",
    ]

    @Test("Validators are told apart when they come back")
    func validators() throws {
        let target = try HTTPTarget("https://example.com/a?key=s3cr3t")
        for etag in ["\"a\"", "W/\"a\"", "\"\"", "\"date:é\""] {
            let validator = try #require(HTTPValidator(["ETag": etag], of: target))
            #expect(validator.value == etag)
            #expect(HTTPValidator(stored: validator.stored, of: target) == validator)
            #expect(validator.requestHeader == "if-none-match")
        }
        let date = try #require(HTTPValidator(Self.dates, of: target))
        #expect(HTTPValidator(stored: date.stored, of: target) == date)
        #expect(date.requestHeader == "if-modified-since")
        #expect(HTTPValidator([:], of: target) == nil)
    }

    @Test("A validator comes back for the URL that gave it alone, which it does not repeat")
    func validatorsOfOthers() throws {
        let target = try HTTPTarget("https://example.com/a?key=s3cr3t")
        // As every process of every version has to make it.
        #expect(HTTPValidator(["ETag": "\"a\""], of: target)?.stored == "ce060b9ca974:\"a\"")
        #expect(HTTPValidator(Self.dates, of: target)?.stored == "ce060b9ca974:date:Sun, 06 Nov 1994 08:49:37 GMT")
        for url in ["https://example.com/a", "https://example.com/a?key=s3cr3", "http://example.com/a?key=s3cr3t"] {
            let other = try HTTPTarget(url)
            #expect(HTTPValidator(stored: "ce060b9ca974:\"a\"", of: other) == nil)
        }
        for older in ["\"a\"", "W/\"a\"", "date:Sun, 06 Nov 1994 08:49:37 GMT"] {
            #expect(HTTPValidator(stored: older, of: target) == nil)
        }
    }

    @Test(
        "The date of the last change counts if the answer is two seconds younger",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:39 GMT", true), ("Sunday, 06-Nov-94 08:49:39 GMT", true),
            ("Sun Nov  6 08:49:39 1994", true), ("Mon, 07 Nov 1994 00:00:00 GMT", true),
            ("Sun, 06 Nov 1994 08:49:38 GMT", false), ("Sun, 06 Nov 1994 08:49:37 GMT", false),
            ("Sun, 06 Nov 1994 08:49:00 GMT", false), ("today", true), (nil, true),
        ] as [(String?, Bool)]
    )
    func lateChanges(_ date: String?, _ counts: Bool) throws {
        var headers: HTTPHeaders = ["Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"]
        if let date { headers.add(name: "Date", value: date) }
        let target = try HTTPTarget("https://example.com/a")
        #expect(HTTPValidator(headers, of: target)?.value == (counts ? "Sun, 06 Nov 1994 08:49:37 GMT" : nil))
        headers.add(name: "ETag", value: "\"a\"")
        #expect(HTTPValidator(headers, of: target)?.value == "\"a\"")
        #expect(HTTPValidator(["Last-Modified": "Thu, 06 Nov 2994 08:49:37 GMT"], of: target) == nil)
    }

    @Test("What is no validator is taken for none, and the date for it where there is one")
    func noValidators() throws {
        let target = try HTTPTarget("https://example.com/a")
        let limit = "\"\(String(repeating: "x", count: 1009))\""
        let beyond = "\"\(String(repeating: "x", count: 1010))\""
        #expect(HTTPValidator(["ETag": limit], of: target)?.stored.utf8.count == 1024)
        for text in [
            "", "unquoted", "\"", "W/\"", "w/\"a\"", "date:x", "\"a\"b\"", "\"a b\"", "\"\u{7F}\"", beyond,
        ] {
            #expect(HTTPValidator(["ETag": text], of: target) == nil, "\(text)")
            var headers = Self.dates
            headers.add(name: "ETag", value: text)
            #expect(HTTPValidator(headers, of: target)?.requestHeader == "if-modified-since", "\(text)")
            let stored = "\(target.fingerprint):\(text)"
            if text != "date:x" { #expect(HTTPValidator(stored: stored, of: target) == nil, "\(text)") }
        }
        for text in [beyond, "today", ""] {
            let headers: HTTPHeaders = ["Last-Modified": text, "Date": "Sun, 06 Nov 1994 08:49:39 GMT"]
            #expect(HTTPValidator(headers, of: target) == nil, "\(text)")
        }
    }

    @Test("what may be compressed is read little at a time, since it is unpacked as it is read")
    func readsLittle() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let connection = try await ClientBootstrap(group: group)
            .channelInitializer { $0.pipeline.addHTTPClientHandlers() }
            .connect(to: try #require(server.localAddress)).get()
        let configuration = HTTPAsking.configuration(connectTimeout: .seconds(5), unpacks: true)
        let initialize = try #require(configuration.http1_1ConnectionDebugInitializer)
        try await connection.eventLoop.flatSubmit { initialize(connection) }.get()
        #expect(try await connection.getOption(.maxMessagesPerRead).get() == 1)
        let buffers = try await connection.getOption(.recvAllocator).get() as? AdaptiveRecvByteBufferAllocator
        #expect(buffers?.maximum == 32 << 10)
        try await connection.close()
        try await server.close()
    }
}
