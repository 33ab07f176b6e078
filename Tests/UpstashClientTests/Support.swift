import RESP
import TestSupport
import UpstashClient

func upstashError(_ body: () async throws -> some Any) async throws -> UpstashError? { try await thrown(by: body) }

func errorReply(_ body: () async throws -> some Any) async throws -> RESPError? { try await thrown(by: body) }
