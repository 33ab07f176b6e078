import NIOConcurrencyHelpers
import RESP
import RedisClient

/// A copy of some keys, which what the server tells keeps right.
final class KeyCopy: Sendable {
    private struct State {
        var values: [String: String?] = [:]
        /// How often a key, or everything, was invalidated.
        var changes: [String?: Int] = [:]

        func changes(of key: String) -> Int { changes[key, default: 0] + changes[nil, default: 0] }
    }

    private let state = NIOLockedValueBox(State())

    var values: [String: String?] { state.withLockedValue { $0.values } }

    func follow(_ invalidations: RedisInvalidations) async {
        for await invalidation in invalidations {
            state.withLockedValue { state in
                switch invalidation {
                case .everything:
                    state.values = [:]
                    state.changes[nil, default: 0] += 1
                case .keys(let keys):
                    for key in keys {
                        state.values[key] = nil
                        state.changes[key, default: 0] += 1
                    }
                }
            }
        }
    }

    func read(_ key: String, from client: RedisClient) async throws {
        let before = state.withLockedValue { $0.changes(of: key) }
        let value = try await client.tracked.execute(RESPCommand("GET", key)).string
        state.withLockedValue { state in
            if before == state.changes(of: key) { state.values[key] = .some(value) }
        }
    }
}
