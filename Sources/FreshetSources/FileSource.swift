import Foundation
public import Freshet
import NIOCore
import NIOPosix

/// A JSON file.
///
/// Its validator is made of the file's identity, size and time of change, so a file that has not changed is not read
/// again. A file that changes while it is read is read once more.
public struct FileSource: FieldSource {
    public let path: String
    public let maxBytes: Int
    /// For messages, which readers see: without the folders.
    private let name: String

    /// - Parameters:
    ///   - path: relative to the working directory, or absolute.
    ///   - maxBytes: a larger file is an error.
    /// - Throws: `CacheError` with `configuration` for a path that no file can have.
    public init(path: String, maxBytes: Int = 64 << 20) throws {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw CacheError(.configuration, "a file source needs a path")
        }
        self.path = path
        self.maxBytes = maxBytes
        name = path.split(separator: "/").last.map(String.init) ?? path
    }

    public func load(_ context: LoadContext) async throws -> LoadResult<JSONValue> {
        for _ in 1...3 {
            let before = try stamp()
            if let etag = context.etag, etag == before.etag { return .notModified }
            let bytes = try await read(before.size)
            guard try stamp() == before else { continue }
            return .value(try decode(bytes), LoadDetails(etag: before.etag))
        }
        throw CacheError(.sourceFailed, "\(name) changes faster than it can be read")
    }

    private struct Stamp: Hashable {
        var size: Int
        var etag: String
    }

    private func stamp() throws -> Stamp {
        let attributes: [FileAttributeKey: Any]
        do {
            // Attributes are of the link, not of what it points to.
            let target = URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
            attributes = try FileManager.default.attributesOfItem(atPath: target)
        } catch {
            throw CacheError(
                .sourceFailed,
                "there is no file at \(name), or it may not be looked at",
                underlying: error
            )
        }
        // Opening a pipe or a device could wait for ever.
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw CacheError(.sourceFailed, "\(name) is not a regular file")
        }
        let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
        guard size <= maxBytes else {
            throw CacheError(.sourceFailed, "\(name) has \(size) bytes, more than the \(maxBytes) that are allowed")
        }
        let file = (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0
        let changed = (attributes[.modificationDate] as? Date)?.timeIntervalSinceReferenceDate.bitPattern ?? 0
        let parts = [file, changed, UInt64(size)].map { String($0, radix: 16) }
        return Stamp(size: size, etag: "\"\(parts.joined(separator: "-"))\"")
    }

    /// Reads in a thread that may block.
    private func read(_ size: Int) async throws -> ByteBuffer {
        let path = path
        let limit = maxBytes
        do {
            return try await NIOThreadPool.singleton.runIfActive {
                let file = try FileHandle(forReadingFrom: URL(filePath: path))
                defer { try? file.close() }
                var bytes = ByteBufferAllocator().buffer(capacity: size)
                while bytes.readableBytes <= limit, let part = try file.read(upToCount: 1 << 20), !part.isEmpty {
                    bytes.writeBytes(part)
                }
                return bytes
            }
        } catch {
            throw CacheError(.sourceFailed, "\(name) cannot be read", underlying: error)
        }
    }

    private func decode(_ bytes: ByteBuffer) throws -> JSONValue {
        guard bytes.readableBytes > 0 else { throw CacheError(.sourceFailed, "\(name) is empty") }
        do {
            return try StoredJSON.decode(JSONValue.self, from: bytes)
        } catch {
            throw CacheError(.sourceFailed, "\(name) is not JSON", underlying: error)
        }
    }
}
