import Freshet

/// Something that a ``RecordTransform`` cannot be made of.
package struct TransformProblem: Sendable, Hashable {
    package enum Setting: Sendable, Hashable {
        /// The condition on a member.
        case condition(String)
        case select
        /// By its place in the list.
        case sort(Int)
        case locale
    }

    package let setting: Setting
    package let message: String
}

extension RecordTransform {
    /// Everything that is wrong, conditions in the order of their names.
    package static func problems(
        where conditions: [String: Condition],
        select: [String: Selection]?,
        sort: [SortKey],
        locale: String?
    ) -> [TransformProblem] {
        var problems: [TransformProblem] = []
        func report(_ setting: TransformProblem.Setting, _ message: String) {
            problems.append(TransformProblem(setting: setting, message: message))
        }
        for (name, condition) in conditions.sorted(by: { $0.key < $1.key }) {
            if let problem = condition.problem { report(.condition(name), "where '\(name)' \(problem)") }
        }
        if let select, select.isEmpty { report(.select, "select names nothing") }
        var seen: Set<String> = []
        for (index, key) in sort.enumerated() {
            if !seen.insert(key.name).inserted {
                report(.sort(index), "sort names '\(key.name)' twice")
            } else if let select, !select.isEmpty, select[key.name] == nil {
                report(.sort(index), "sort names '\(key.name)', which select does not give")
            }
        }
        do {
            _ = try TextOrder(locale: locale)
        } catch {
            report(.locale, (error as? CacheError)?.message ?? "\(error)")
        }
        return problems
    }
}
