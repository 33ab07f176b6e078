import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import FreshetCLI

@Suite("Free port")
struct FreePortTests {
    @Test("is one of the address that is to be listened on, which may stand in brackets")
    func ofAddress() async throws {
        let port = try LoopbackSocket.freePort()
        let other = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.2", port: port)
            .get()
        #expect(await FreePort.preferred(port, host: "127.0.0.2") == 0)
        #expect(await FreePort.preferred(port, host: "127.0.0.1") == port)
        #expect(await FreePort.preferred(port, host: "[127.0.0.1]") == port)
        try await other.close()
    }
}
