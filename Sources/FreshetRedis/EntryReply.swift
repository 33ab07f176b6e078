import Freshet
import NIOCore
import RESP

/// What the scripts answer of an entry: a list of eighteen.
struct EntryReply {
    /// `settle` where the reader has to ask again, by the script of that name.
    let kind: String
    let bytes: ByteBuffer?
    /// Bytes of a value that was left out.
    private let size: Int?
    /// Everything but the content.
    private(set) var snapshot = EntrySnapshot(content: .gone)

    init(_ reply: RESPValue) throws {
        guard let items = reply.array, let kind = items.first?.string else {
            throw RedisStore.unexpected("entry script")
        }
        self.kind = kind
        guard kind != "settle" else {
            bytes = nil
            size = nil
            return
        }
        guard items.count == 18 else { throw RedisStore.unexpected("entry script") }
        bytes = items[1].bytes
        size = if case .integer(let size) = items[1] { size } else { nil }
        snapshot.generation = items[2].string.map { Generation($0) }
        snapshot.digest = items[3].string
        snapshot.etag = items[4].string
        snapshot.age = .milliseconds(items[5].integer ?? 0)
        snapshot.freshFor = .milliseconds(items[6].integer ?? 0)
        snapshot.staleFor = .milliseconds(items[7].integer ?? 0)
        snapshot.leaseFor = items[8].integer.map { .milliseconds($0) }
        snapshot.lastRead = items[13].integer.map { .milliseconds($0) }
        snapshot.time = .milliseconds(items[14].integer ?? 0)
        snapshot.ttl = items[15].integer.map { .milliseconds($0) }
        snapshot.leaseHolder = items[16].string
        snapshot.lastForced = items[17].integer.map { .milliseconds($0) }
        if let count = items[9].integer, let code = items[10].string, let message = items[11].bytes {
            snapshot.failure = EntryFailure(
                count: count,
                code: code,
                message: String(buffer: message),
                retryAfter: .milliseconds(items[12].integer ?? 0)
            )
        }
    }

    /// The whole of it, where the script said all there is to say.
    func complete() throws -> EntrySnapshot {
        switch (kind, bytes, size) {
        case ("gone", _, _): snapshot
        case ("absent", _, _): snapshot(with: .absent)
        case ("unchanged", _, _): snapshot(with: .unchanged)
        case ("value", let bytes?, _): snapshot(with: .value(bytes))
        case ("value", _, let size?): snapshot(with: .omitted(size: size))
        default: throw RedisStore.unexpected("entry script")
        }
    }

    func snapshot(with content: EntrySnapshot.Content) -> EntrySnapshot {
        var snapshot = snapshot
        snapshot.content = content
        return snapshot
    }
}
