import BoundedCache
import Foundation
import Synchronization

/// Readers of one key beside a writer that lets go of its value at once: what they are handed must be whole and alive.
///
///     swift run -c release --package-path Benchmarks cache-stress [writes]
///
/// Only an optimised build specialises the cache for its keys and values and moves their retains about; the tests, which are
/// built for debugging, do not see what becomes of that. Prints a line of JSON for each way of writing, and fails if one value
/// was not whole.
@main
struct CacheStress {
    private static let readers = 3
    private static let key = "a key of more than fifteen bytes"

    static func main() {
        let writes = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 200_000
        var isGood = true
        for way in Way.allCases {
            let (reads, torn) = run(way, writes: writes)
            let isOK = torn == 0
            print(#"{"case":"\#(way.rawValue)","writes":\#(writes),"reads":\#(reads),"torn":\#(torn),"ok":\#(isOK)}"#)
            isGood = isGood && isOK
        }
        exit(isGood ? 0 : 1)
    }

    private static func run(_ way: Way, writes: Int) -> (reads: Int, torn: Int) {
        let cache = BoundedCache<String, Value>(.init(capacity: .weight(1000) { $1.weight }))
        let isOver = Atomic(false)
        let reads = Atomic(0)
        let torn = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: readers + 1) { thread in
            guard thread > 0 else {
                for number in 0..<writes { way.write(number, to: cache, key) }
                return isOver.store(true, ordering: .relaxed)
            }
            while !isOver.load(ordering: .relaxed) {
                guard let value = cache.get(key) else { continue }
                reads.wrappingAdd(1, ordering: .relaxed)
                if !value.isWhole { torn.wrappingAdd(1, ordering: .relaxed) }
            }
        }
        return (reads.load(ordering: .relaxed), torn.load(ordering: .relaxed))
    }
}

struct Value: Sendable {
    final class Box: Sendable {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    var box: Box
    var numbers: [Int]
    var text: String
    var weight = 3

    init(_ number: Int) {
        box = Box(number)
        numbers = [number]
        text = "the number of this value is \(number)"
    }

    var isWhole: Bool { numbers.last == box.number && text.hasSuffix(" \(box.number)") }
}

enum Way: String, CaseIterable {
    case replacing, weighing, updating, inPlace, removing

    func write(_ number: Int, to cache: BoundedCache<String, Value>, _ key: String) {
        var value = Value(number)
        switch self {
        case .replacing:
            cache.set(key, value)
        case .weighing:
            value.weight = 1 + number % 5
            cache.set(key, value)
        case .updating:
            try? cache.update(key) { $0.value = value }
        case .inPlace:
            try? cache.update(key) { draft in
                draft.value?.numbers.append(number)
                draft.value?.box = value.box
                draft.value?.text = value.text
                if number % 10 == 0 { draft.value = value }
            }
        case .removing:
            if number % 2 == 0 { cache.set(key, value) } else { cache.remove(key) }
        }
    }
}
