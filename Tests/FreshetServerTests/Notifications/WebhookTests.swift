import NIOCore
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Webhook")
struct WebhookTests {
    @Test("what is encoded in the URL is posted to as it is beside what is illegal")
    func encoded() async throws {
        let server = try await RawServer.start { _ in RawServer.Answer("200 OK", "Content-Length: 0") }
        let webhook = try Webhook(server.url + "/caf%C3%A9 [x]?q=|%7C")
        #expect(try await webhook.post(ByteBuffer(string: "{}")) == .delivered)
        #expect(server.requests.first?.hasPrefix("post /caf%c3%a9%20%5bx%5d?q=%7c%7c http/1.1") == true)
    }

    @Test("only its host is printed")
    func secret() throws {
        let webhook = try Webhook("https://hooks.example/s3cret?s3cret")
        #expect(!printed(webhook).contains("s3cret"))
    }
}
