import BoundedCache
import NIOCore
import Testing

@testable import Freshet

@Suite("Hashes in the memory store")
struct MemoryStoreHashTests {
    private static func value(_ length: Int) -> ByteBuffer { ByteBuffer(repeating: 1, count: length) }

    private static func fields(_ names: some Sequence<Int>, _ length: Int = 1) -> [String: ByteBuffer] {
        Dictionary(uniqueKeysWithValues: names.map { ("field-\($0)", value(length)) })
    }

    /// Where the fields of a hash are in memory.
    private static func place(_ store: MemoryStore, _ key: String) -> UInt? {
        guard case .hash(let hash)? = store.records.peek(ExactKey(key))?.plain?.content else { return nil }
        return unsafeBitCast(hash.fields, to: UInt.self)
    }

    @Test func aChangedFieldDoesNotCopyTheOthers() async throws {
        let store = MemoryStore()
        _ = try await store.hset("hash", Self.fields(0..<1000))
        let place = try #require(Self.place(store, "hash"))
        #expect(try await store.hset("hash", ["field-7": Self.value(9)]) == 0)
        #expect(Self.place(store, "hash") == place)
        #expect(try await store.hdel("hash", ["field-8", "none"]) == 1)
        #expect(Self.place(store, "hash") == place)
        #expect(try await store.hset("hash", [:]) == 0)
        #expect(Self.place(store, "hash") == place)
        #expect(try await store.hget("hash", "field-7") == Self.value(9))
        #expect(try await store.hget("hash", "field-8") == nil)
        #expect(try await store.hgetall("hash").count == 999)
    }

    @Test func removedFieldsTakeNoRoom() {
        var hash = MemoryStoreHash()
        let names = (0..<1000).map(String.init)
        _ = hash.set(Dictionary(uniqueKeysWithValues: names.map { (ExactKey($0), Self.value(1)) }))
        #expect(hash.remove(Array(names.dropFirst(10))) == 990)
        #expect(hash.fields.count == 10)
        #expect(hash.fields.capacity < 100)
    }

    /// With a look at all fields for each of them it would take minutes.
    @Test(.timeLimit(.minutes(1))) func aLargeHashIsBuiltFieldByField() async throws {
        let store = MemoryStore()
        for number in 0..<30_000 { _ = try await store.hset("hash", ["\(number)": Self.value(1)]) }
        #expect(try await store.hgetall("hash").count == 30_000)
    }

    @Test func whatWasReadDoesNotChange() async throws {
        let store = MemoryStore()
        _ = try await store.hset("hash", Self.fields(0..<3))
        let read = try await store.hgetall("hash")
        _ = try await store.hset("hash", ["field-0": Self.value(2), "field-3": Self.value(3)])
        _ = try await store.hdel("hash", ["field-1"])
        #expect(read == Self.fields(0..<3))
    }

    @Test func itWeighsWhatItsFieldsWeighHoweverItCameToThem() async throws {
        let (store, other) = (MemoryStore(), MemoryStore())
        for number in 0..<100 { _ = try await store.hset("hash", ["field-\(number % 20)": Self.value(number)]) }
        _ = try await store.hdel("hash", ["field-3", "field-3", "field-99"])
        _ = try await other.hset("hash", try await store.hgetall("hash"))
        #expect(store.bytes == other.bytes)
        #expect(store.bytes > 19 * (64 + 80))
        _ = try await store.hdel("hash", (0..<20).map { "field-\($0)" })
        #expect(store.bytes == 0)
    }

    @Test func whatIsRefusedLeavesItAsItWas() async throws {
        let store = MemoryStore(maxBytes: 4096)
        let fields = Self.fields(0..<10, 100)
        _ = try await store.hset("hash", fields)
        let bytes = store.bytes
        // One byte too many: 99 of the first field become free, the other costs 72 besides its value.
        let refused = ["field-0": Self.value(1), "field-10": Self.value(4096 - bytes + 99 - 72 + 1)]
        let error = await #expect(throws: CacheError.self) { try await store.hset("hash", refused) }
        #expect(error?.code == .storeRejected)
        #expect(try await store.hgetall("hash") == fields)
        #expect(store.bytes == bytes)
        // In the place of another it fits: the field's name and what a field costs besides are there already.
        #expect(try await store.hset("hash", ["field-9": Self.value(100 + 4096 - bytes)]) == 0)
        #expect(store.bytes == 4096)
        let tooMuch = ["field-9": Self.value(101 + 4096 - bytes)]
        await #expect(throws: CacheError.self) { try await store.hset("hash", tooMuch) }
        #expect(try await store.hgetall("hash").count == 10)
    }

    @Test func aValueOfAnotherTypeStays() async throws {
        let store = MemoryStore()
        _ = try await store.set("string", Self.value(3), options: CacheOptions())
        for attempt in 0..<2 {
            let error = await #expect(throws: CacheError.self) {
                _ =
                    attempt == 0
                    ? try await store.hset("string", Self.fields(0..<2)) : try await store.hdel("string", ["field"])
            }
            #expect(error?.code == .storeRejected)
        }
        #expect(try await store.get("string") == Self.value(3))
    }

    @Test func manyWriteAtOnce() async throws {
        let store = MemoryStore()
        let added = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var added = 0
                    for number in 0..<200 {
                        added += try await store.hset("hash", ["\(task)-\(number)": Self.value(number)])
                        if try await store.hget("hash", "\(task)-\(number)") == nil { added -= 1 }
                    }
                    return added
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(added == 800)
        #expect(try await store.hgetall("hash").count == 800)
    }
}
