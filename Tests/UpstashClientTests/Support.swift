import NIOCore
import RESP
import Testing
import UpstashClient

/// Runs something and gives the client's error that it ended with.
func upstashError(_ body: () async throws -> some Any) async throws -> UpstashError? {
    do {
        _ = try await body()
        return nil
    } catch let error as UpstashError {
        return error
    }
}

/// Runs something and gives the error reply that it ended with.
func errorReply(_ body: () async throws -> some Any) async throws -> RESPError? {
    do {
        _ = try await body()
        return nil
    } catch let error as RESPError {
        return error
    }
}
