import BoundedCache
import NIOCore

/// The fields of a hash, which knows what they weigh: to count them at every change would cost as much as a copy.
struct MemoryStoreHash: Sendable {
    private(set) var fields: [ExactKey: ByteBuffer] = [:]
    /// Bytes, about.
    private(set) var weight = 0

    /// How many of the fields are new.
    mutating func set(_ fields: [ExactKey: ByteBuffer]) -> Int {
        weight += growth(setting: fields)
        let count = self.fields.count
        for (name, value) in fields { self.fields[name] = value }
        return self.fields.count - count
    }

    /// How much heavier it would be.
    func growth(setting fields: [ExactKey: ByteBuffer]) -> Int {
        fields.reduce(0) { growth, field in
            let old = self.fields[field.key].map { Self.weight(field.key.text, $0) } ?? 0
            return growth + Self.weight(field.key.text, field.value) - old
        }
    }

    /// How many of the fields were there.
    mutating func remove(_ names: [String]) -> Int {
        let count = fields.count
        for name in names {
            if let old = fields.removeValue(forKey: ExactKey(name)) { weight -= Self.weight(name, old) }
        }
        let removed = count - fields.count
        // Dictionaries keep their room.
        if fields.capacity > 64, fields.count < fields.capacity / 4 {
            fields = Dictionary(uniqueKeysWithValues: fields.lazy.map { ($0.key, $0.value) })
        }
        return removed
    }

    private static func weight(_ name: String, _ value: ByteBuffer) -> Int {
        name.utf8.count + value.readableBytes + 64
    }
}
