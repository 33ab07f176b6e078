import Yams

/// Parses a configuration file into nodes that know their place.
enum YAMLDocument {
    /// Marks a key that was given twice, so that the rest of the document can still be read.
    private static let duplicateMarks: ClosedRange<UInt32> = 0x100000...0x1003FF

    /// How many values aliases may stand for in any file, and how deep values may be nested.
    private static let leastExpansion = 100_000
    private static let greatestDepth = 100

    /// - Returns: the root, nil for an empty document or one that cannot be read; the reason is then in the scope.
    static func parse(_ text: String, in scope: ReadingScope) -> YAMLValue? {
        let hidden = VariableSubstitution.hide(text)
        var lines = hidden.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
        var marks = duplicateMarks.makeIterator()
        while true {
            do {
                guard let node = try compose(yaml: lines.joined(separator: "\n")) else { return nil }
                // A file without aliases has no more values than bytes.
                var budget = max(leastExpansion, text.utf8.count)
                guard isWithin(&budget, depth: greatestDepth, node) else {
                    scope.report(
                        nil,
                        "the file has too many values once its aliases are followed, or too deep ones",
                        "write fewer aliases (*name), and nest no deeper than \(greatestDepth)"
                    )
                    return nil
                }
                return YAMLValue(node: node, path: "", scope: scope)
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                let positions = mark(names, below: Place(context.mark), as: &marks, in: &lines)
                for (name, position) in positions {
                    scope.report(
                        position,
                        "'\(VariableSubstitution.reveal(name))' is given twice",
                        "keep one of them"
                    )
                }
                if positions.isEmpty {
                    for name in names {
                        scope.report(
                            Place(context.mark),
                            "'\(VariableSubstitution.reveal(name))' is given twice here",
                            "keep one of them; nothing else of the file was checked"
                        )
                    }
                    return nil
                }
            } catch {
                report(error, in: scope)
                return nil
            }
        }
    }

    static func isDuplicate(_ key: String) -> Bool {
        key.unicodeScalars.first.map { duplicateMarks.contains($0.value) } ?? false
    }

    /// Whether a value has no more values in it than the budget, which it reduces, and not too deep ones.
    private static func isWithin(_ budget: inout Int, depth: Int, _ node: Node) -> Bool {
        budget -= 1
        guard budget >= 0, depth >= 0 else { return false }
        switch node {
        case .scalar, .alias: return true
        case .sequence(let sequence): return sequence.allSatisfy { isWithin(&budget, depth: depth - 1, $0) }
        case .mapping(let mapping):
            return mapping.allSatisfy {
                isWithin(&budget, depth: depth - 1, $0.key) && isWithin(&budget, depth: depth - 1, $0.value)
            }
        }
    }

    /// Renames the second occurrence of each name in the mapping that has the mark at the first occurrence of the first
    /// name.
    ///
    /// - Returns: the names that were found, with their places.
    private static func mark(
        _ names: [String],
        below start: Place,
        as marks: inout IndexingIterator<ClosedRange<UInt32>>,
        in lines: inout [String]
    ) -> [(String, Place)] {
        let found = markInBlock(names, below: start, as: &marks, in: &lines)
        guard found.isEmpty, let name = names.first, let place = FlowKeys.next(name, behind: start, in: lines),
            rename(place, as: &marks, in: &lines)
        else { return found }
        return [(name, place)]
    }

    private static func markInBlock(
        _ names: [String],
        below start: Place,
        as marks: inout IndexingIterator<ClosedRange<UInt32>>,
        in lines: inout [String]
    ) -> [(String, Place)] {
        var found: [(String, Place)] = []
        for name in names {
            var seen = false
            for index in lines.indices.dropFirst(max(0, start.line - 1)) {
                let line = lines[index]
                let indentation = line.prefix { $0 == " " }.count
                let content = line.dropFirst(indentation)
                guard !content.isEmpty, !content.hasPrefix("#") else { continue }
                if indentation < start.column - 1 { break }
                guard indentation == start.column - 1, isKey(name, at: content) else { continue }
                guard seen else {
                    seen = true
                    continue
                }
                let place = Place(line: index + 1, column: indentation + 1)
                guard rename(place, as: &marks, in: &lines) else { return found }
                found.append((name, place))
                break
            }
        }
        return found
    }

    /// Puts a mark in the place of a key's first character.
    private static func rename(
        _ key: Place,
        as marks: inout IndexingIterator<ClosedRange<UInt32>>,
        in lines: inout [String]
    ) -> Bool {
        guard let mark = marks.next().flatMap(Unicode.Scalar.init) else { return false }
        var line = lines[key.line - 1].unicodeScalars
        var index = line.index(line.startIndex, offsetBy: key.column - 1)
        if line[index] == "\"" || line[index] == "'" { index = line.index(after: index) }
        line.replaceSubrange(index...index, with: [mark])
        lines[key.line - 1] = String(line)
        return true
    }

    static func isKey(_ name: String, at content: Substring) -> Bool {
        for form in [name, "\"\(name)\"", "'\(name)'"] where content.hasPrefix(form) {
            let rest = content.dropFirst(form.count).drop { $0 == " " }
            if rest.hasPrefix(":") { return true }
        }
        return false
    }

    private static func report(_ error: any Error, in scope: ReadingScope) {
        let advice = "correct the YAML; nothing behind this place was read"
        switch error {
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            scope.report(Place(mark), "no valid YAML: \(problem)", advice)
        case YamlError.reader(let problem, _, _, _):
            scope.report(nil, "no valid YAML: \(problem)", advice)
        default:
            scope.report(nil, "no valid YAML", advice)
        }
    }
}
