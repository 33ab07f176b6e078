import NIOCore

/// Decides where the bytes of a string live, so that a short one neither costs an allocation nor pins a read buffer.
struct PayloadStorage: Sendable {
    private static let chunkSize = 2048
    private static let largestShared = 256

    /// Shared by copies of this storage, so that they notice each other.
    private final class Owner: Sendable {}

    /// Its readable bytes are those that are not in use yet.
    private var chunk = ByteBuffer()
    /// Where they are, as long as the chunk is held, whose storage never moves since nobody writes through it. Safe to send:
    /// a copy that finds the owner shared takes a chunk of its own before it writes.
    nonisolated(unsafe) private var unused: UnsafeMutableRawPointer?
    private var owner = Owner()

    /// A payload that stands at `position` of the readable bytes of `input`.
    mutating func keep(_ payload: UnsafeRawBufferPointer, at position: Int, of input: ByteBuffer) -> ByteBuffer {
        if payload.count <= Self.largestShared { return share(payload) }
        if payload.count >= input.storageCapacity / 4,
            let slice = input.getSlice(at: input.readerIndex + position, length: payload.count)
        {
            return slice
        }
        return ByteBuffer(bytes: payload)
    }

    private mutating func share(_ payload: UnsafeRawBufferPointer) -> ByteBuffer {
        guard let source = payload.baseAddress, !payload.isEmpty else { return ByteBuffer() }
        let isOwn = isKnownUniquelyReferenced(&owner)
        if !isOwn || chunk.readableBytes < payload.count {
            chunk = ByteBuffer(repeating: 0, count: Self.chunkSize)
            unused = chunk.withUnsafeReadableBytesWithStorageManagement { bytes, _ in
                UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            }
            // A copy would write to the same bytes.
            if !isOwn { owner = Owner() }
        }
        guard let target = unused, let slice = chunk.readSlice(length: payload.count) else {
            return ByteBuffer(bytes: payload)
        }
        // Writing through the buffer would copy the chunk, because slices of it are out. No other slice covers these
        // bytes, and whoever holds one cannot write to storage that the chunk holds too: the copy is theirs.
        target.copyMemory(from: source, byteCount: payload.count)
        unused = target + payload.count
        return slice
    }
}
