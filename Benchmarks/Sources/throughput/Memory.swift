import BoundedCache
import Foundation

/// Prints what an entry costs in resident memory, with a million of them whose keys and values are shared with an array
/// that is there anyway.
func printMemory(of contender: String?) throws {
    let count = 1_000_000
    let value = 1
    let keys = (0..<(count + count / 10)).map { "/api/fields/key-" + String($0, radix: 36) + "-of-many" }
    let before = try residentBytes()
    var held: Any?
    switch contender {
    case "bounded":
        let cache = BoundedCache<String, Int>(
            .init(capacity: .weight(count) { _, _ in 1 }, timeToLive: .seconds(3600))
        )
        // Twice, so that there are ghosts of what did not fit.
        for _ in 0..<2 { for key in keys { cache.set(key, value) } }
        held = cache
    case "bounded-entries":
        let cache = BoundedCache<String, Int>(capacity: count)
        for key in keys.prefix(count) { cache.set(key, value) }
        held = cache
    case "dictionary":
        var dictionary: [String: Int] = [:]
        for key in keys.prefix(count) { dictionary[key] = value }
        held = dictionary
    case "nscache":
        let box = Box(value)
        let cache = NSCache<NSString, Box>()
        for key in keys.prefix(count) { cache.setObject(box, forKey: NSString(string: key)) }
        held = cache
    default:
        print("contenders: bounded, bounded-entries, dictionary, nscache")
        exit(64)
    }
    let bytes = Double(try residentBytes() - before) / Double(count)
    print(String(format: "%.1f bytes an entry", bytes))
    withExtendedLifetime((held, keys)) {}
}

private func residentBytes() throws -> Int {
    let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return (pages.count > 1 ? Int(pages[1]) ?? 0 : 0) * 4096
}
