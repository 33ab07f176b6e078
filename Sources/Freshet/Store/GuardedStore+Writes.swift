import NIOConcurrencyHelpers
package import NIOCore

/// What this process writes beside its fields: no server tells it of that.
extension GuardedStore {
    /// Tells a watcher of the keys that this process has written, or may have, not as fields. It must return at once.
    func watchWrites(_ watcher: @escaping @Sendable ([String]) -> Void) {
        writeWatchers.withLockedValue { $0.append(watcher) }
    }

    package func set(_ key: String, _ value: ByteBuffer, options: CacheOptions) async throws -> Bool {
        defer { tellWritten([key]) }
        return try await call(.set) { try await $0.set(key, value, options: options) }
    }

    package func del(_ keys: [String]) async throws -> Int {
        defer { tellWritten(keys) }
        return try await call(.del) { try await $0.del(keys) }
    }

    package func incr(_ key: String, by amount: Int64) async throws -> Int64 {
        defer { tellWritten([key]) }
        return try await call(.incr) { try await $0.incr(key, by: amount) }
    }

    package func expire(_ key: String, after time: Duration) async throws -> Bool {
        defer { tellWritten([key]) }
        return try await call(.expire) { try await $0.expire(key, after: time) }
    }

    private func tellWritten(_ keys: [String]) {
        for watcher in writeWatchers.withLockedValue({ $0 }) { watcher(keys) }
    }
}
