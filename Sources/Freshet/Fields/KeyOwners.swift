import BoundedCache

/// Which field keeps what in the store: its key, and the companion of that.
package struct KeyOwners {
    private var owners: [ExactKey: String] = [:]

    package init() {}

    /// - Returns: what is wrong with two fields, in words; nil if nobody else has the key.
    /// - Throws: `CacheError` with `invalidArgument` for a key that cannot have a companion.
    package mutating func claim(_ key: String, for field: String) throws -> String? {
        for key in [key, try CompanionKey(of: key).name] {
            if let owner = owners.updateValue(field, forKey: ExactKey(key)) {
                return "fields '\(owner)' and '\(field)' both keep something under the key '\(key)'"
            }
        }
        return nil
    }
}
