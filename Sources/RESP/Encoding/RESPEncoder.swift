public import NIOCore

/// Collects commands as the bytes to be sent.
///
/// Many commands share one buffer, so that they leave in one write. Large arguments are not copied into it: they
/// become segments of their own, for a gathering write.
public struct RESPEncoder: Sendable {
    /// Arguments of at least this many bytes become segments of their own.
    public static let segmentThreshold = 16 << 10
    private static let largestKept = 256 << 10
    private static let roomForLatest = 4096

    private var segments: [ByteBuffer] = []
    private var tail = ByteBuffer()
    private var spare = ByteBuffer()
    /// Room for single commands, which go behind the tail together: a buffer has more to check at each write.
    private var latest: [UInt8] = []
    private var latestCount = 0

    /// The number of bytes that wait to be taken.
    public private(set) var byteCount = 0

    public init() {}

    /// Adds a command. The cost is one copy of its short arguments.
    public mutating func append(_ command: RESPCommand) {
        var plan = EncodingPlan()
        plan.add(command)
        if plan.hasSegments { return appendSegmented(command) }
        if plan.upperBound > Self.roomForLatest { return write(plan) { $0.write(command) } }
        if plan.upperBound > latest.count - latestCount { makeRoomForLatest() }
        latest.withUnsafeMutableBytes { room in
            guard let start = room.baseAddress else { return }
            var writer = RawWriter(start + latestCount)
            writer.write(command)
            latestCount += writer.count
            byteCount += writer.count
        }
    }

    private mutating func makeRoomForLatest() {
        moveLatest()
        if latest.isEmpty { latest = Array(repeating: 0, count: Self.roomForLatest) }
    }

    private mutating func moveLatest() {
        if latestCount == 0 { return }
        tail.writeBytes(latest[..<latestCount])
        latestCount = 0
    }

    /// Adds commands, together for less than one by one.
    public mutating func append(contentsOf commands: [RESPCommand]) {
        commands.withUnsafeBufferPointer { all in
            guard let first = all.baseAddress else { return }
            var plan = EncodingPlan()
            for place in 0..<all.count { plan.add(first[place]) }
            if plan.hasSegments { return all.forEach { append($0) } }
            write(plan) { writer in
                for place in 0..<all.count { writer.write(first[place]) }
            }
        }
    }

    private mutating func write(_ plan: EncodingPlan, _ body: (inout RawWriter) -> Void) {
        moveLatest()
        byteCount += tail.writeWithUnsafeMutableBytes(minimumWritableBytes: plan.upperBound) { target in
            guard let start = target.baseAddress else { return 0 }
            var writer = RawWriter(start)
            body(&writer)
            return writer.count
        }
    }

    /// Adds what another encoder collected.
    public mutating func append(contentsOf other: consuming RESPEncoder) {
        moveLatest()
        other.moveLatest()
        byteCount += other.byteCount
        if other.segments.isEmpty, other.tail.readableBytes < Self.segmentThreshold {
            tail.writeImmutableBuffer(other.tail)
            return
        }
        closeSegment()
        segments += other.segments
        if other.tail.readableBytes > 0 { segments.append(other.tail) }
    }

    /// Hands the segments over in the order in which they are to be written, and is empty afterwards.
    public mutating func take(_ body: (ByteBuffer) -> Void) {
        moveLatest()
        if !segments.isEmpty {
            for segment in segments { body(segment) }
            segments.removeAll(keepingCapacity: true)
        }
        byteCount = 0
        guard tail.readableBytes > 0 else { return }
        body(tail)
        // Two buffers take turns; one comes back when what was taken from it is usually written.
        swap(&tail, &spare)
        if tail.capacity > Self.largestKept { tail = ByteBuffer() } else { tail.clear() }
    }

    private mutating func closeSegment() {
        guard tail.readableBytes > 0 else { return }
        segments.append(tail)
        tail = ByteBuffer()
    }

    private mutating func appendSegmented(_ command: RESPCommand) {
        moveLatest()
        byteCount += tail.writeString(
            "*\(command.argumentCount + 1)\r\n$\(command.name.utf8.count)\r\n\(command.name)\r\n"
        )
        command.forEachArgument { argument in
            let bytes = argument.bytes
            byteCount += tail.writeString("$\(bytes.readableBytes)\r\n")
            byteCount += bytes.readableBytes
            if bytes.readableBytes >= Self.segmentThreshold {
                closeSegment()
                segments.append(bytes)
            } else {
                tail.writeImmutableBuffer(bytes)
            }
            byteCount += tail.writeString("\r\n")
        }
    }
}
