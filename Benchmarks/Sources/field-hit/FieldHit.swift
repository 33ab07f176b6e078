import Dispatch
import Freshet
import Logging
import NIOCore

/// What a read costs that ends in this process, beside a dictionary under a lock and a read of the key-value side.
///
///     swift run -c release --package-path Benchmarks field-hit
///
/// One JSON line a row: `{"case":…,"ns":…,"ratio":…}`, the median of five rounds; `ratio` is to the dictionary.
/// For instructions and allocations an operation: `Benchmarks/field-hit/instructions.py`.
@main
struct FieldHit {
    /// Not `async`, whose runtime lets the main thread end: valgrind 3.19 does not survive that.
    static func main() {
        let isOver = DispatchSemaphore(value: 0)
        Task.detached {
            do { try await run() } catch { print("field-hit: \(error)") }
            isOver.signal()
        }
        isOver.wait()
    }

    private static func run() async throws {
        let logger = Logger(label: "field-hit") { _ in SwiftLogNoOpLogHandler() }
        let cache = CacheService(store: MemoryStore(), logger: logger)
        try await cache.initialize()
        let people = (0..<60).map {
            Person(id: "rec\($0)", name: "Person number \($0) of a list that weighs 6 kB", age: $0)
        }
        let field = Field("people", ttl: .seconds(3600)) { people }
        var configuration = FieldCache.Configuration()
        configuration.l1Recheck = .seconds(3600)
        let fields = FieldCache(
            cache: cache,
            catalog: try FieldCatalog([field]),
            configuration: configuration,
            logger: logger
        )
        let bytes = try await fields.read(field).bytes
        let table = LockedTable(["people": people])

        let cases: [(name: String, rounds: Int, run: @Sendable (Int) async throws -> Int)] = [
            (
                "dictionary under a lock", 200_000,
                { rounds in
                    var sum = 0
                    for _ in 0..<rounds { sum += table.get("people")?.count ?? 0 }
                    return sum
                }
            ),
            (
                "field, typed", 200_000,
                { rounds in
                    var sum = 0
                    for _ in 0..<rounds { sum += try await fields.value(of: field).count }
                    return sum
                }
            ),
            (
                "field, bytes", 200_000,
                { rounds in
                    var sum = 0
                    for _ in 0..<rounds { sum += try await fields.read(field.erased).bytes.readableBytes }
                    return sum
                }
            ),
            (
                "key, decoded at each read", 200,
                { rounds in
                    var sum = 0
                    for _ in 0..<rounds {
                        sum += try await cache.get("people", as: [Person].self)?.count ?? 0
                    }
                    return sum
                }
            ),
        ]
        let arguments = CommandLine.arguments.dropFirst()
        if let name = arguments.first, let rounds = arguments.dropFirst().first.flatMap({ Int($0) }) {
            guard let run = cases.first(where: { $0.name == name })?.run else { return print("no such case: \(name)") }
            return print(try await run(rounds))
        }
        print(#"{"case":"payload","bytes":\#(bytes.readableBytes)}"#)
        var times: [String: [Double]] = [:]
        for _ in 0..<5 {
            for (name, rounds, run) in cases {
                let start = ContinuousClock.now
                _ = try await run(rounds)
                let time = (ContinuousClock.now - start) / rounds
                times[name, default: []].append(Double(time.components.attoseconds) / 1e9)
            }
        }
        let medians = times.mapValues { $0.sorted()[$0.count / 2] }
        let base = medians["dictionary under a lock"] ?? .nan
        for (name, _, _) in cases {
            let time = medians[name] ?? .nan
            print(#"{"case":"\#(name)","ns":\#(Int(time)),"ratio":\#((time / base * 100).rounded() / 100)}"#)
        }
    }
}

struct Person: Codable, Sendable {
    var id: String
    var name: String
    var age: Int
}
