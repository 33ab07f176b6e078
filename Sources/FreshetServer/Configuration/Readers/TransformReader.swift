import Freshet
import FreshetSources

/// Reads `where`, `select`, `sort` and `locale` of a field.
struct TransformReader {
    let mapping: YAMLMapping
    let scope: ReadingScope

    /// - Returns: nil for what no transform can be made of.
    func read() -> RecordTransform? {
        let columns = mapping["where"]?.section()
        let conditions = columns.map(readConditions) ?? [:]
        let select = mapping["select"]?.section().map(readSelections)
        let keys = mapping["sort"].map(readSort) ?? []
        let sort = keys.map(\.key)
        let locale = mapping["locale"].flatMap { $0.word() }
        for problem in RecordTransform.problems(where: conditions, select: select, sort: sort, locale: locale) {
            let value =
                switch problem.setting {
                case .condition(let column): columns?[column]
                case .select: mapping["select"]
                case .sort(let index): keys[index].value
                case .locale: mapping["locale"]
                }
            scope.report(
                value?.place ?? mapping.value.place,
                value.flatMap { quietMessage(problem, $0) } ?? problem.message,
                "correct it, or leave it out"
            )
        }
        return try? RecordTransform(where: conditions, select: select, sort: sort, locale: locale)
    }

    /// The message that repeats no value of a variable; nil where there is none in it.
    private func quietMessage(_ problem: TransformProblem, _ value: YAMLValue) -> String? {
        guard value.isReplaced else { return nil }
        return switch problem.setting {
        case .sort: "sort names '\(value.written)' twice, or select does not give it"
        case .locale: "'\(value.written)' is no locale; write a language such as es or es-MX"
        case .condition, .select: nil
        }
    }

    private func readConditions(_ columns: YAMLMapping) -> [String: Condition] {
        var conditions: [String: Condition] = [:]
        for column in columns.all {
            guard let tests = column.value.mapping() else { continue }
            tests.allow(["in", "notIn", "equals", "notEquals", "exists", "trim"])
            conditions[column.key] = Condition(
                in: tests["in"].flatMap(readValues),
                notIn: tests["notIn"].flatMap(readValues),
                equals: tests["equals"]?.json(),
                notEquals: tests["notEquals"]?.json(),
                exists: tests["exists"]?.bool(),
                trim: tests["trim"]?.bool() ?? false
            )
        }
        return conditions
    }

    private func readValues(_ value: YAMLValue) -> [JSONValue]? {
        value.list()?.compactMap { $0.json() }
    }

    private func readSelections(_ members: YAMLMapping) -> [String: Selection] {
        var selections: [String: Selection] = [:]
        for member in members.all {
            if member.value.isMapping {
                guard let settings = member.value.mapping() else { continue }
                settings.allow(["from", "default"])
                guard let source = settings["from"] else {
                    scope.report(member.keyPlace, "select '\(member.key)' does not say from what", "add from:")
                    continue
                }
                if let name = source.word() {
                    selections[member.key] = Selection(from: name, default: settings["default"]?.json())
                }
            } else if let name = member.value.word() {
                selections[member.key] = Selection(from: name)
            }
        }
        return selections
    }

    private func readSort(_ value: YAMLValue) -> [(key: SortKey, value: YAMLValue)] {
        value.values.compactMap { name in
            guard let text = name.word() else { return nil }
            do {
                return (try SortKey(text), name)
            } catch {
                name.report(
                    "'\(name.written)' names nothing to sort by",
                    "write a name, with '-' in front for descending order"
                )
                return nil
            }
        }
    }
}
