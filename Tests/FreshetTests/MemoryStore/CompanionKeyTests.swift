import Freshet
import Testing

@Suite struct CompanionKeyTests {
    @Test(arguments: [
        ("agents", "{agents}:meta"), ("a:b c", "{a:b c}:meta"), ("{eu}:agents", "{eu}:agents:meta"),
        ("x{eu}", "x{eu}:meta"), ("{a}{b}", "{a}{b}:meta"), ("{{a}}", "{{a}}:meta"), ("ñ", "{ñ}:meta"),
    ])
    func namesTheCompanion(_ key: String, _ name: String) throws {
        let companion = try CompanionKey(of: key)
        #expect(companion.name == name)
        #expect(companion.key == key)
        #expect(hashTag(of: name) == hashTag(of: key))
    }

    @Test(arguments: ["", "{", "}", "{}", "{}a", "a{}", "{a", "a}", "}{", "a}b{c", "{a}{}", "{a}}", "{{a}", "{{}}"])
    func refusesWhatMayNotShareTheSlot(_ key: String) {
        let error = #expect(throws: CacheError.self) { try CompanionKey(of: key) }
        #expect(error?.code == .invalidArgument)
    }

    /// The part of a key that decides on its slot, by the rule of the Redis Cluster specification.
    private func hashTag(of key: String) -> String {
        guard let open = key.firstIndex(of: "{") else { return key }
        let rest = key[key.index(after: open)...]
        guard let close = rest.firstIndex(of: "}"), close > rest.startIndex else { return key }
        return String(rest[..<close])
    }
}
