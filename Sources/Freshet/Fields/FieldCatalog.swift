/// The fields of an application, in one place.
public struct FieldCatalog: Sendable {
    /// In the order they were given.
    public let fields: [AnyField]
    private let byName: [String: AnyField]

    /// - Throws: ``CacheError`` with `configuration`, naming every problem: a name that no URL takes, a name or key
    ///   used twice, a key that is another field's companion, a key the store cannot keep, a policy that cannot be.
    public init(_ fields: [any FieldReference] = []) throws {
        self.fields = fields.map(\.erased)
        byName = Dictionary(self.fields.map { ($0.name, $0) }) { first, _ in first }
        let problems = Self.problems(of: self.fields)
        guard problems.isEmpty else { throw CacheError(.configuration, problems.joined(separator: "; ")) }
    }

    /// - Throws: ``CacheError`` with `unknownField`.
    public func field(_ name: String) throws -> AnyField {
        guard let field = byName[name] else { throw CacheError(.unknownField, "there is no field '\(name)'") }
        return field
    }

    private static func problems(of fields: [AnyField]) -> [String] {
        var problems: [String] = []
        var names: Set<String> = []
        var owners = KeyOwners()
        for field in fields {
            if !FieldName.isAllowed(field.name) {
                problems.append("'\(field.name)' cannot be the name of a field: \(FieldName.advice)")
            }
            if !names.insert(field.name).inserted { problems.append("two fields are named '\(field.name)'") }
            problems += field.policy.problems.map { "field '\(field.name)': \($0)" }
            do {
                if let problem = try owners.claim(field.key, for: field.name) { problems.append(problem) }
            } catch {
                problems.append("field '\(field.name)': \((error as? CacheError)?.message ?? "\(error)")")
            }
        }
        return problems
    }
}
