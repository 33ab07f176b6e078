import Foundation
public import Freshet
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A JSON file.
///
/// Its validator is made of the file's identity, size and the time of its last change of any kind, which nobody can set
/// back, so a file that has not changed is not read again. One that has just changed has no validator yet: it could
/// change once more within the same tick of the file system's clock. A file that changes while it is read is read again,
/// twice at most. One that is missing, empty or no JSON is `sourceFailed`, never an absence.
public struct FileSource: FieldSource {
    public let path: String
    public let maxBytes: Int
    /// For messages, which readers see: without the folders.
    private let name: String
    /// Since 1970.
    private let now: @Sendable () -> Duration

    /// The ticks of file systems are no longer.
    private static let tick = Duration.seconds(2)

    /// - Parameters:
    ///   - path: relative to the working directory, or absolute.
    ///   - maxBytes: a larger file is an error.
    /// - Throws: `CacheError` with `configuration` for a path that no file can have.
    public init(path: String, maxBytes: Int = 64 << 20) throws {
        try self.init(path: path, maxBytes: maxBytes) { SystemSpawner().wallTime() }
    }

    package init(path: String, maxBytes: Int = 64 << 20, now: @escaping @Sendable () -> Duration) throws {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw CacheError(.configuration, "a file source needs a path")
        }
        self.path = path
        self.maxBytes = maxBytes
        name = path.split(separator: "/").last.map(String.init) ?? path
        self.now = now
    }

    public func load(_ context: LoadContext) async throws -> LoadResult<JSONValue> {
        let contents: Contents?
        do {
            // Looking at it may block, as reading it does.
            contents = try await NIOThreadPool.singleton.runIfActive { try self.contents(unless: context.etag) }
        } catch let error as CacheError {
            throw error
        } catch {
            throw CacheError(.sourceFailed, "\(name) cannot be read", underlying: error)
        }
        guard let contents else { return .notModified }
        return .value(try decode(contents.bytes), LoadDetails(etag: contents.etag))
    }

    /// - Throws: what a load would, as far as that shows without reading.
    package func check() throws {
        _ = try stamp()
        guard access(path, R_OK) == 0 else {
            let cause = IOError(errnoCode: errno, reason: "access")
            throw CacheError(.sourceFailed, "\(name) may not be read", underlying: cause)
        }
    }

    private struct Contents {
        let bytes: ByteBuffer
        let etag: String?
    }

    /// - Returns: nil if the file has that tag.
    private func contents(unless etag: String?) throws -> Contents? {
        for _ in 1...3 {
            let time = now()
            let before = try stamp()
            let tag = before.changed + Self.tick < time ? before.etag : nil
            if let etag, etag == tag { return nil }
            let bytes = try read(before.size)
            if try stamp() == before { return Contents(bytes: bytes, etag: tag) }
        }
        throw CacheError(.sourceFailed, "\(name) changes faster than it can be read")
    }

    private struct Stamp: Hashable {
        let device: UInt64
        let file: UInt64
        let size: Int
        /// Since 1970.
        let changed: Duration

        var etag: String {
            let parts = [device, file, UInt64(size), UInt64(bitPattern: changed.clampedNanoseconds)]
            return "\"\(parts.map { String($0, radix: 16) }.joined(separator: "-"))\""
        }
    }

    private func stamp() throws -> Stamp {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw CacheError(
                .sourceFailed,
                "there is no file at \(name), or it may not be looked at",
                underlying: IOError(errnoCode: errno, reason: "stat")
            )
        }
        // Opening a pipe or a device could wait for ever.
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CacheError(.sourceFailed, "\(name) is not a regular file")
        }
        let size = Int(status.st_size)
        guard size <= maxBytes else {
            throw CacheError(.sourceFailed, "\(name) has \(size) bytes, more than the \(maxBytes) that are allowed")
        }
        #if canImport(Darwin)
        let changed = status.st_ctimespec
        #else
        let changed = status.st_ctim
        #endif
        return Stamp(
            device: UInt64(truncatingIfNeeded: status.st_dev),
            file: UInt64(status.st_ino),
            size: size,
            changed: .seconds(changed.tv_sec) + .nanoseconds(changed.tv_nsec)
        )
    }

    private func read(_ size: Int) throws -> ByteBuffer {
        let file = try FileHandle(forReadingFrom: URL(filePath: path))
        defer { try? file.close() }
        var bytes = ByteBufferAllocator().buffer(capacity: size)
        while bytes.readableBytes <= maxBytes, let part = try file.read(upToCount: 1 << 20), !part.isEmpty {
            bytes.writeBytes(part)
        }
        return bytes
    }

    private func decode(_ bytes: ByteBuffer) throws -> JSONValue {
        guard bytes.readableBytes > 0 else { throw CacheError(.sourceFailed, "\(name) is empty") }
        do {
            return try StoredJSON.decode(JSONValue.self, from: bytes, inAnyUnicode: true)
        } catch {
            let reason = (error as? CacheError)?.message ?? "\(error)"
            throw CacheError(.sourceFailed, "\(name) cannot be read: \(reason)", underlying: error)
        }
    }
}
