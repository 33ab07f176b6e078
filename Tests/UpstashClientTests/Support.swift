import RESP
import TestSupport
import UpstashClient

extension UpstashClient {
    /// Patient, because test machines are busy.
    static func patient(_ url: String, _ change: (inout Configuration) -> Void = { _ in }) throws -> UpstashClient {
        var configuration = try Configuration(url: url, token: "sesame")
        configuration.commandTimeout = .seconds(30)
        configuration.subscribeTimeout = .seconds(30)
        change(&configuration)
        return try UpstashClient(configuration)
    }
}

extension SilentListener {
    func client(_ change: (inout UpstashClient.Configuration) -> Void = { _ in }) throws -> UpstashClient {
        try .patient(url, change)
    }
}

func upstashError(_ body: () async throws -> some Any) async throws -> UpstashError? { try await thrown(by: body) }

func errorReply(_ body: () async throws -> some Any) async throws -> RESPError? { try await thrown(by: body) }
