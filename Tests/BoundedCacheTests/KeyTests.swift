import BoundedCache
import Testing

@Suite struct KeyTests {
    @Test(arguments: [
        ("e\u{301}", "\u{e9}"), ("\u{212A}", "K"), ("a\u{037E}b", "a;b"), ("\u{1FEF}", "`"),
        ("\u{1112}\u{1161}", "\u{D558}"),
    ])
    func equalStringsFindTheSameEntry(_ stored: String, _ asked: String) {
        #expect(stored == asked)
        let cache = BoundedCache<String, Int>(capacity: 10)
        cache.set(stored, 1)
        #expect(cache.get(asked) == 1)
        #expect(cache.set(asked, 2) == .replaced)
        #expect(cache.get(stored) == 2)
        #expect(cache.count == 1)
    }

    @Test(arguments: [
        ("e\u{301}", "\u{e9}"), ("\u{212A}", "K"), ("\u{212B}", "\u{C5}"),
        (String(repeating: "e\u{301}", count: 20), String(repeating: "\u{e9}", count: 20)),
    ])
    func exactKeysAreFoundByTheirBytes(_ one: String, _ other: String) {
        #expect(one == other)
        let cache = BoundedCache<ExactKey, Int>(capacity: 10)
        cache.set(ExactKey(one), 1)
        #expect(cache.get(ExactKey(other)) == nil)
        cache.set(ExactKey(other), 2)
        for (text, number) in [(one, 1), (other, 2)] {
            // Kept elsewhere.
            var copy = ""
            copy.reserveCapacity(200)
            copy += text
            #expect(cache.get(ExactKey(text)) == number)
            #expect(cache.get(ExactKey(copy)) == number)
        }
        #expect(cache.count == 2)
        let numbers = [ExactKey(one): 1, ExactKey(other): 2]
        #expect((numbers[one], numbers[other]) == (1, 2))
    }

    @Test func stringsOfEveryLengthAndNeighbourhood() {
        let cache = BoundedCache<String, Int>(capacity: 100_000)
        var keys: [String] = []
        for length in 0...80 {
            keys.append(String(repeating: "a", count: length))
            for place in 0..<length {
                var bytes = [UInt8](repeating: 97, count: length)
                bytes[place] = 98
                keys.append(String(decoding: bytes, as: UTF8.self))
            }
        }
        for (index, key) in keys.enumerated() { #expect(cache.set(key, index) == .inserted) }
        for (index, key) in keys.enumerated() {
            #expect(cache.get(key) == index)
            #expect(cache.get(key + "\u{e9}") == nil)
        }
    }

    /// The library keeps strings of up to 15 bytes within themselves, but for those that were longer once.
    @Test func shortStringsAreFoundHoweverTheyAreKept() {
        let cache = BoundedCache<String, Int>(capacity: 100)
        for length in 0...15 {
            let short = String("abcdefghijklmno".prefix(length))
            var kept = ""
            kept.reserveCapacity(100)
            kept += short
            #expect(kept == short)
            #expect(unsafeBitCast(kept, to: (UInt64, UInt64).self) != unsafeBitCast(short, to: (UInt64, UInt64).self))
            cache.set(short, length)
            #expect(cache.get(kept) == length)
            #expect(cache.set(kept, length) == .replaced)
        }
        #expect(cache.count == 16)
    }

    /// Equal keys may differ in weight: the one that was weighed is the one that is kept.
    @Test(arguments: [true, false]) func equalKeysOfOtherWeight(inPlace: Bool) throws {
        let cache = BoundedCache<String, [Int]>(.init(capacity: .weight(100) { key, _ in key.utf8.count }))
        for key in ["e\u{301}", "\u{e9}", "e\u{301}"] {
            let key = String(repeating: key, count: 20)
            if inPlace, cache.count > 0 {
                try cache.update(key) { $0.value?.append(1) }
            } else {
                cache.set(key, [1])
            }
            let entry = cache.peekEntry(key)
            #expect(entry?.weight == entry?.key.utf8.count)
            #expect(cache.totalWeight == key.utf8.count)
        }
    }

    @Test func otherKeyTypes() {
        struct Colliding: Hashable {
            let number: Int
            func hash(into hasher: inout Hasher) {}
        }
        let cache = BoundedCache<Colliding, Int>(capacity: 200)
        for number in 0..<500 { cache.set(Colliding(number: number), number) }
        #expect(cache.count == 200)
        #expect(cache.snapshot().allSatisfy { cache.get($0.key) == $0.key.number })
        let substrings = BoundedCache<Substring, Int>(capacity: 10)
        substrings.set("abcabc".dropFirst(3), 1)
        #expect(substrings.get("abc") == 1)
    }
}
