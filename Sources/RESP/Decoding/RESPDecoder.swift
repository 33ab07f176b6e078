public import NIOCore

/// Turns received bytes into values, however they were cut into pieces.
///
/// ```swift
/// decoder.append(received)
/// while let value = try decoder.next() { … }
/// ```
///
/// Nothing is decoded twice: after an incomplete value the decoder goes on where it stopped, so that a value that
/// arrives in many pieces costs time in proportion to its length. Attributes are read over; they are not the reply. A
/// push within another value comes before it, as a value of its own.
///
/// Payloads of up to 256 bytes are copied into chunks of 2 KiB, which neighbours share; larger ones get memory of
/// their own, or are slices of what was appended if they make up at least a quarter of it. So a value never pins more
/// than 2 KiB or four times its size.
///
/// The bytes are not trusted: whatever is not RESP, and whatever exceeds the ``Limits-swift.struct``, is thrown as
/// ``RESPDecodingError``, after which the decoder only repeats that error.
public struct RESPDecoder: Sendable {
    /// What a peer may make the decoder hold.
    public struct Limits: Sendable, Hashable {
        /// Aggregates within aggregates.
        public var depth = 64
        /// Bytes of one string. Servers refuse more than 512 MiB by default.
        public var blobLength = 512 << 20
        /// Bytes of one line: a status, an error, a number. Scripts make them as long as strings.
        public var lineLength = 512 << 20
        /// Elements of one aggregate; a pair of a map counts as two.
        public var elementCount = 1 << 26

        public init() {}
    }

    /// With ``dropsTooDeep`` a value may be nested so deep, and costs the memory of its open aggregates.
    private static let deepest = 10_000

    private let limits: Limits
    private let dropsTooDeep: Bool
    private var input = ByteBuffer()
    private var scan = LineScan()
    private var payloads = PayloadStorage()
    private var blob: PartialBlob?
    private var stack: [PartialAggregate] = []
    private var failure: RESPDecodingError?
    /// Attempts to read a token so far: what shows in a test that nothing is read again and again.
    package private(set) var tokenReads = 0

    public init(limits: Limits = Limits()) {
        self.init(limits: limits, dropsTooDeep: false)
    }

    /// - Parameter dropsTooDeep: what is nested too deep becomes an error value where it stands.
    package init(limits: Limits = Limits(), dropsTooDeep: Bool) {
        self.limits = limits
        self.dropsTooDeep = dropsTooDeep
    }

    /// Adds bytes behind those that were added before.
    public mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        blob?.fill(from: &bytes)
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeImmutableBuffer(bytes)
        }
    }

    /// The next complete value, or `nil` until more bytes are appended.
    public mutating func next() throws(RESPDecodingError) -> RESPValue? {
        var next: RESPValue?
        try decode { value in
            next = value
            return false
        }
        return next
    }

    /// Appends all complete values, also those before an error.
    package mutating func next(into values: inout [RESPValue]) throws(RESPDecodingError) {
        try decode { value in
            values.append(value)
            return true
        }
    }

    /// Hands over complete values while more are wanted.
    private mutating func decode(_ wantsMore: (consuming RESPValue) -> Bool) throws(RESPDecodingError) {
        if let failure { throw failure }
        do {
            repeat {
                guard try endBlob(wantsMore) else { break }
            } while try readTokens(wantsMore)
        } catch {
            failure = error
            throw error
        }
        // The storage goes back to the channel, which reads into it again if nobody else holds it.
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    /// Ends the long string that has begun, if there is one. Whether to read on.
    private mutating func endBlob(_ wantsMore: (consuming RESPValue) -> Bool) throws(RESPDecodingError) -> Bool {
        guard let blob else { return true }
        guard let value = try finish(blob) else { return false }
        self.blob = nil
        guard let complete = fold(value) else { return true }
        return wantsMore(complete)
    }

    /// Reads tokens until there is no whole one, no more are wanted, or a long string begins. Whether to read on.
    private mutating func readTokens(_ wantsMore: (consuming RESPValue) -> Bool) throws(RESPDecodingError) -> Bool {
        let whole = input
        let (begun, consumed) = try whole.withUnsafeReadableBytes { bytes throws(RESPDecodingError) in
            var position = 0
            while true {
                tokenReads &+= 1
                let (token, length) = try Token.read(
                    UnsafeRawBufferPointer(rebasing: bytes[position...]),
                    at: position,
                    of: whole,
                    scan: &scan,
                    payloads: &payloads,
                    limits: limits
                )
                position += length
                let value: RESPValue
                switch consume token {
                case .incomplete:
                    return (nil as (BlobKind, Int)?, position)
                case .blob(let kind, let length):
                    return ((kind, length), position)
                case .value(let scalar):
                    value = scalar
                case .aggregate(.attribute, count: 0):
                    continue
                case .aggregate(let kind, count: 0):
                    value = PartialAggregate(kind: kind, count: 0).value
                case .aggregate(let kind, let count):
                    try open(kind, count)
                    continue
                }
                if let complete = fold(consume value), !wantsMore(complete) { return (nil, position) }
            }
        }
        input.moveReaderIndex(forwardBy: consumed)
        guard let (kind, length) = begun else { return false }
        blob = PartialBlob(kind: kind, length: length, input: &input)
        return true
    }

    private mutating func open(_ kind: PartialAggregate.Kind, _ count: Int) throws(RESPDecodingError) {
        let isKept = stack.count < limits.depth
        guard isKept || dropsTooDeep && stack.count < Self.deepest else { throw RESPDecodingError(.tooDeep) }
        stack.append(PartialAggregate(kind: kind, count: count, isKept: isKept))
    }

    private mutating func finish(_ blob: PartialBlob) throws(RESPDecodingError) -> RESPValue? {
        guard blob.isFull, input.readableBytes >= 2 else { return nil }
        guard input.readInteger(as: UInt16.self) == 0x0D0A else { throw RESPDecodingError(.malformed) }
        return try blob.kind.value(blob.bytes)
    }

    /// Puts a value into the aggregate that waits for it and closes what that completes.
    @inline(__always)
    private mutating func fold(_ value: consuming RESPValue) -> RESPValue? {
        stack.isEmpty ? value : foldIntoAggregate(value)
    }

    private mutating func foldIntoAggregate(_ value: consuming RESPValue) -> RESPValue? {
        while !stack.isEmpty {
            // Redis before 7.0.5 sends pushes amid the elements of a reply; each is a value of its own.
            if case .push = value { return value }
            let top = stack.count - 1
            stack[top].append(value)
            guard stack[top].isComplete else { return nil }
            let complete = stack.removeLast()
            // What an attribute annotates is still to come, at the place where the attribute stood.
            if case .attribute = complete.kind { return nil }
            value = complete.isKept || complete.kind == .push ? complete.value : .error(.tooDeep(limit: limits.depth))
        }
        return value
    }
}
