import Foundation
import TestSupport
import Testing

@Suite("Upstash's own Python SDK")
struct PythonSDKTests {
    @Test("strings, hashes, collections, streams, scripts, pipelines, transactions and errors are as it expects")
    func sdk() async throws {
        let script = PythonScript("upstash_redis_check.py")
        try await Endpoint.overRedis { endpoint, _ in
            let (status, output) = try await script.run([endpoint.url, Endpoint.token, Endpoint.readOnlyToken])
            #expect(status == 0, "\(output)\nIf upstash_redis is missing, run scripts/install-test-tools")
            #expect(output.contains("upstash-redis agrees"))
        }
    }
}
