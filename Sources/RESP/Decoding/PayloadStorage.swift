import NIOCore

/// Decides where the bytes of a string live, so that a short one neither costs an allocation nor pins a read buffer.
struct PayloadStorage: Sendable {
    private static let chunkSize = 2048
    private static let largestShared = 256

    /// Shared by copies of this storage, so that they notice each other.
    private final class Owner: Sendable {}

    private var chunk = ByteBuffer()
    private var used = 0
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
        guard !payload.isEmpty else { return ByteBuffer() }
        let isOwn = isKnownUniquelyReferenced(&owner)
        if !isOwn || chunk.readableBytes - used < payload.count {
            chunk = ByteBuffer(repeating: 0, count: Self.chunkSize)
            used = 0
            // A copy would write behind the same `used`.
            if !isOwn { owner = Owner() }
        }
        let start = used
        used += payload.count
        // Writing through the buffer would copy the chunk, because slices of it are out. No slice covers the bytes
        // behind `used`, and whoever holds one cannot write to storage that the chunk holds too: the copy is theirs.
        chunk.withUnsafeReadableBytes { storage in
            let target = UnsafeMutableRawBufferPointer(
                mutating: UnsafeRawBufferPointer(rebasing: storage[start..<used])
            )
            target.copyMemory(from: payload)
        }
        return chunk.getSlice(at: start, length: payload.count) ?? ByteBuffer(bytes: payload)
    }
}
