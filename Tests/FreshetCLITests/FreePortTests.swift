import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import FreshetCLI

@Suite("Free port")
struct FreePortTests {
    private static func listen(on port: Int) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.2", port: port)
            .get()
    }

    @Test(
        "is one of the address that is to be listened on, which may stand in brackets",
        .enabled("the machine has 127.0.0.2") { (try? await FreePortTests.listen(on: 0).close()) != nil }
    )
    func ofAddress() async throws {
        let port = try LoopbackSocket.freePort()
        let other = try await Self.listen(on: port)
        #expect(await FreePort.preferred(port, host: "127.0.0.2") == 0)
        #expect(await FreePort.preferred(port, host: "127.0.0.1") == port)
        #expect(await FreePort.preferred(port, host: "[127.0.0.1]") == port)
        try await other.close()
    }
}
