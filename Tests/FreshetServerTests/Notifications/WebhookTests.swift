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

    @Test("a status below 100 is no HTTP, and the next notice may be taken")
    func lowStatus() async throws {
        let server = try await RawServer.start { request in
            RawServer.Answer(request.hasPrefix("post /low ") ? "099 X" : "204 No Content", "Content-Length: 0")
        }
        let noHTTP = "what it answers is no HTTP; the port may be one for TLS"
        let refused = try await Webhook(server.url + "/low").post(ByteBuffer(string: "{}"))
        #expect(refused == .failed(noHTTP, retryAfter: nil))
        #expect(try await Webhook(server.url).post(ByteBuffer(string: "{}")) == .delivered)
    }

    @Test("HTTP/2 is not spoken: a connection that is dead would be used on and on")
    func offersOnlyHTTP1() async throws {
        let listener = try await SilentListener.start()
        let webhook = try Webhook(listener.url)
        let post = Task { try await webhook.post(ByteBuffer(string: "{}")) }
        #expect(await eventually { listener.greetings.contains { $0.contains("http/1.1") } })
        #expect(listener.greetings.allSatisfy { $0.contains(SilentListener.http1Only) })
        post.cancel()
        await #expect(throws: CancellationError.self) { try await post.value }
    }

    @Test("only its host is printed")
    func secret() throws {
        let webhook = try Webhook("https://hooks.example/s3cret?s3cret")
        #expect(!printed(webhook).contains("s3cret"))
    }
}
