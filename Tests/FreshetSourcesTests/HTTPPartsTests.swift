import Foundation
import Freshet
import NIOHTTP1
import SourceHTTP
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
            #expect(SourceHTTP.retryAfter(["Retry-After": text], now: now) == expected, "\(text)")
        }
        #expect(SourceHTTP.retryAfter([:], now: now) == nil)
    }

    @Test(
        "The type of a body ends before its parameters",
        arguments: [
            ("application/json", "application/json"), ("Application/JSON; charset=utf-8", "application/json"),
            ("text/plain\t;charset=utf-8", "text/plain"), ("a/b+json ;x", "a/b+json"), ("", ""), (nil, ""),
        ] as [(String?, String)]
    )
    func mediaType(header: String?, type: String) {
        #expect(SourceHTTP.mediaType(header.map { ["Content-Type": $0] } ?? [:]) == type)
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

    @Test("Validators are told apart when they come back")
    func validators() {
        for etag in ["\"a\"", "W/\"a\"", "\"\"", "\"date:é\""] {
            #expect(HTTPValidator(["ETag": etag])?.stored == etag)
            #expect(HTTPValidator(stored: etag)?.requestHeader == "if-none-match")
        }
        let date = HTTPValidator(["Last-Modified": "today"])
        #expect(date.flatMap { HTTPValidator(stored: $0.stored) } == date)
        #expect(date?.requestHeader == "if-modified-since")
        #expect(HTTPValidator([:]) == nil)
    }

    @Test("What is no validator is taken for none, and the date for it where there is one")
    func noValidators() {
        let limit = "\"\(String(repeating: "x", count: 1022))\""
        #expect(HTTPValidator(["ETag": limit])?.value == limit)
        for text in [
            "", "unquoted", "\"", "W/\"", "w/\"a\"", "date:x", "\"a\"b\"", "\"a b\"", "\"\u{7F}\"", limit + "x\"",
        ] {
            #expect(HTTPValidator(["ETag": text]) == nil, "\(text)")
            #expect(HTTPValidator(["ETag": text, "Last-Modified": "today"])?.stored == "date:today", "\(text)")
            if text != "date:x" { #expect(HTTPValidator(stored: text) == nil, "\(text)") }
        }
        #expect(HTTPValidator(["Last-Modified": limit + "x"]) == nil)
        #expect(HTTPValidator(["Last-Modified": ""]) == nil)
    }
}
