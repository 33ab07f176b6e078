import Freshet
import Yams

/// What no two fields may share: keys of the store (companions count) and routes. Names cannot collide in a mapping.
struct FieldNames {
    let scope: ReadingScope
    private var keys = KeyOwners()
    private var routes: [String: String] = [:]

    init(scope: ReadingScope) { self.scope = scope }

    mutating func check(_ member: YAMLMapping.Member) {
        if !FieldName.isAllowed(member.key) {
            scope.report(member.keyPlace, "'\(member.key)' cannot be the name of a field", FieldName.advice)
        }
        guard case .mapping = member.value.node, let settings = member.value.mapping() else { return }
        checkKey(of: member, settings)
        checkRoute(of: member, settings)
    }

    private mutating func checkKey(of member: YAMLMapping.Member, _ settings: YAMLMapping) {
        let value = settings["key"]
        let key = value.map { $0.quietText ?? "" } ?? member.key
        guard !key.isEmpty else { return }
        func report(_ message: String, _ quiet: String, _ advice: String) {
            if let value, value.isReplaced { return value.report("\(quiet) '\(value.written)'", advice) }
            scope.report(value?.place ?? member.keyPlace, message, advice)
        }
        do {
            guard let problem = try keys.claim(key, for: member.key) else { return }
            report(
                problem,
                "field '\(member.key)' and another both keep something under the key",
                "give one of them another key"
            )
        } catch {
            report(
                (error as? CacheError)?.message ?? "\(error)",
                "field '\(member.key)' cannot have the key",
                "balance the braces, or leave them out"
            )
        }
    }

    private mutating func checkRoute(of member: YAMLMapping.Member, _ settings: YAMLMapping) {
        guard let value = settings["route"], let route = value.quietText else { return }
        let segments = route.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        let isPlain = segments.allSatisfy { segment in
            !segment.isEmpty && segment != "." && segment != ".."
                && segment.utf8.allSatisfy { (0x21...0x7E).contains($0) && !":*{}?#%&$".utf8.contains($0) }
        }
        guard route.hasPrefix("/"), !segments.isEmpty, isPlain else {
            value.report("'\(value.written)' is no route", "write a plain path such as /api/airtable/\(member.key)")
            return
        }
        let reserved = ["/healthz", "/readyz", "/metrics", "/api/fields", "/api/tags", "/admin", "/webhooks"]
        if let owner = reserved.first(where: { route == $0 || route.hasPrefix($0 + "/") }) {
            value.report("the route '\(value.written)' is taken by \(owner)", "choose another path")
        }
        for path in [route, route + "/refresh"] {
            if let owner = routes.updateValue(member.key, forKey: path) {
                value.report(
                    "fields '\(owner)' and '\(member.key)' share the route '\(value.written)'",
                    "give one of them another path"
                )
                return
            }
        }
    }
}

extension YAMLValue {
    /// The text if there is one and its variables can be replaced, without a report: another reader makes that.
    fileprivate var quietText: String? {
        guard let scalar = node.scalar else { return nil }
        let replacement = VariableSubstitution.replace(in: scalar.string, from: scope.environment)
        return replacement.isWhole ? replacement.text : nil
    }
}
