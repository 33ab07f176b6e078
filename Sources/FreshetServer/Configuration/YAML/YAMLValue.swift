import Freshet
import Yams

/// One value of a configuration file. Each way of reading it gives nil, and reports why, if the value is of another
/// kind.
struct YAMLValue {
    let node: Node
    /// The key it has, with its place in lists: `ttl`, `cors[0]`; empty for the whole file.
    let name: String
    let scope: ReadingScope

    var place: Place? { node.mark.map(Place.init) }

    func report(_ message: String, _ advice: String) { scope.report(place, message, advice) }

    /// The members of a mapping, each read at most once.
    func mapping() -> YAMLMapping? {
        guard let mapping = node.mapping else {
            report("\(described) is \(kind)", "write `name: value` pairs under it")
            return nil
        }
        return YAMLMapping(mapping, of: self)
    }

    /// The members of a mapping, as if it were not there where nothing is under it.
    func section() -> YAMLMapping? { isNull ? nil : mapping() }

    func list() -> [YAMLValue]? {
        guard let sequence = node.sequence else {
            report("\(described) is \(kind)", "write a list: [a, b]")
            return nil
        }
        return sequence.enumerated().map { YAMLValue(node: $1, name: "\(name)[\($0)]", scope: scope) }
    }

    /// Those of a list, or a single one; none where nothing is under it.
    var values: [YAMLValue] { isNull ? [] : node.sequence == nil ? [self] : list() ?? [] }

    var isMapping: Bool { node.mapping != nil }

    /// What the file has, variables unreplaced: they may be secrets, so problems quote this.
    var written: String { VariableSubstitution.reveal(node.scalar?.string ?? "") }

    /// Whether its text is another one than is written, and so may be a secret.
    var isReplaced: Bool {
        guard let text = node.scalar?.string else { return false }
        return VariableSubstitution.replace(in: text, from: scope.environment).text != written
    }

    /// Text with its variables replaced.
    func text() -> String? {
        guard let scalar = node.scalar, !isNull else {
            report("\(described) is \(kind)", "write a text")
            return nil
        }
        let replacement = VariableSubstitution.replace(in: scalar.string, from: scope.environment)
        for variable in replacement.missing {
            let names = scope.environment.names
            if names.contains(variable) {
                report("the environment variable \(variable) is empty", "give it a value")
                continue
            }
            let nearest = NearestName.of(variable, among: names)
            report(
                "the environment variable \(variable) is not set",
                nearest.map { "set it; did you mean \($0)?" } ?? "set it, or write $${\(variable)} for the text itself"
            )
        }
        for rest in replacement.malformed { report(malformed: rest) }
        return replacement.isWhole ? replacement.text : nil
    }

    /// What stands behind the `${` may be a secret by mistake, so only the name is shown.
    private func report(malformed rest: String) {
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        if !name.isEmpty, rest.dropFirst(name.count).hasPrefix(":-") {
            report("\(described) has a default behind ${\(name), which is not supported", "write ${\(name)} and set it")
        } else {
            report(
                "\(described) has a ${ that begins no ${NAME}",
                "a name has letters, digits and _, and no digit first; write $${ for the text itself"
            )
        }
    }

    /// Text that is not blank.
    func word() -> String? {
        guard let text = text() else { return nil }
        guard text.contains(where: { !$0.isWhitespace }) else {
            report("\(described) is empty", "give it a value or leave it out")
            return nil
        }
        return text
    }

    func duration(atLeast minimum: Duration = .zero) -> Duration? {
        guard let text = text() else { return nil }
        do {
            let duration = try Duration(configurationText: text)
            if duration >= minimum { return duration }
            report("\(name) is \(written)", "make it at least \(minimum.configurationText)")
        } catch .isTooLong {
            report("\(name) is \(written)", "make it at most \(FieldPolicy.longestTime.configurationText)")
        } catch {
            report("'\(written)' is no time for \(name)", "write it as 500ms, 2s, 15m, 6h, 1d or 1h30m")
        }
        return nil
    }

    func byteSize() -> Int? {
        guard let text = text() else { return nil }
        guard let bytes = ByteSizeText.bytes(text) else {
            report("'\(written)' is no size for \(name)", "write it as 64MiB, 500kB or a number of bytes")
            return nil
        }
        return bytes
    }

    func fraction() -> Double? {
        guard let text = text() else { return nil }
        guard let fraction = PercentText.fraction(text) else {
            report("'\(written)' is no part of a whole for \(name)", "write it as 5%, at most 100%")
            return nil
        }
        return fraction
    }

    func integer(in range: ClosedRange<Int>) -> Int? {
        guard let text = text() else { return nil }
        guard let number = Int(text), range.contains(number) else {
            report(
                "'\(written)' is no value for \(name)",
                "write a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
            return nil
        }
        return number
    }

    func bool() -> Bool? {
        guard let text = text() else { return nil }
        guard let bool = Self.booleans[text] else {
            report("'\(written)' is no value for \(name)", "write true or false")
            return nil
        }
        return bool
    }

    /// YAML 1.2, section 10.3.2, as are the words for null.
    private static let booleans = [
        "true": true, "True": true, "TRUE": true, "false": false, "False": false, "FALSE": false,
    ]

    /// Any value, as JSON would have it: only plain scalars are numbers, booleans or null.
    func json() -> JSONValue? {
        switch node {
        case .mapping:
            guard let mapping = mapping() else { return nil }
            let members = mapping.all.compactMap { entry in entry.value.json().map { (entry.key, $0) } }
            return .object(Dictionary(members) { first, _ in first })
        case .sequence:
            guard let list = list() else { return nil }
            return .array(list.compactMap { $0.json() })
        case .scalar(let scalar):
            if isNull { return .null }
            guard let text = text() else { return nil }
            guard scalar.style == .plain, text == scalar.string else { return .string(text) }
            return Self.plain(text)
        case .alias:
            report("\(described) is an alias", "write the value itself")
            return nil
        }
    }

    private static func plain(_ text: String) -> JSONValue {
        if let integer = Int64(text) { return .integer(integer) }
        if let bool = booleans[text] { return .bool(bool) }
        if let first = text.first, first.isNumber || first == "-", let number = Double(text), number.isFinite {
            return .number(number)
        }
        return .string(text)
    }

    var isNull: Bool {
        guard let scalar = node.scalar, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private var described: String { name.isEmpty ? "the file" : "'\(name)'" }

    private var kind: String {
        switch node {
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .scalar: isNull ? "empty" : "a single value"
        case .alias: "an alias"
        }
    }
}

/// The members of a mapping.
struct YAMLMapping {
    struct Member {
        let key: String
        let keyPlace: Place?
        let value: YAMLValue
    }

    let value: YAMLValue
    /// In the order of the file.
    let all: [Member]

    init(_ mapping: Node.Mapping, of value: YAMLValue) {
        self.value = value
        var keys: Set<String> = []
        all = mapping.compactMap { node, member in
            let place = node.mark.map(Place.init)
            guard let name = node.scalar?.string else {
                value.scope.report(place, "a key is no text", "write `name: value`")
                return nil
            }
            guard !YAMLDocument.isDuplicate(name) else { return nil }
            let key = VariableSubstitution.reveal(name)
            // For the parser `"1"` and `1` are two.
            guard keys.insert(key).inserted else {
                value.scope.report(place, "'\(key)' is given twice", "keep one of them")
                return nil
            }
            return Member(
                key: key,
                keyPlace: place,
                value: YAMLValue(node: member, name: name, scope: value.scope)
            )
        }
    }

    /// The value of a key; nil where it is not there.
    subscript(key: String) -> YAMLValue? { all.first { $0.key == key }?.value }

    func keyPlace(_ key: String) -> Place? { all.first { $0.key == key }?.keyPlace }

    /// Reports every key that is not among those.
    func allow(_ keys: [String]) {
        for member in all where !keys.contains(member.key) {
            let place = value.name.isEmpty ? "here" : "under '\(value.name)'"
            let nearest = NearestName.of(member.key, among: keys)
            value.scope.report(
                member.keyPlace,
                "there is no setting '\(member.key)' \(place)",
                nearest.map { "did you mean '\($0)'?" } ?? "use one of \(keys.joined(separator: ", "))"
            )
        }
    }
}
