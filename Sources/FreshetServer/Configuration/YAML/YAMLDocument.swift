import Yams

/// Parses a configuration file into nodes that know their place.
enum YAMLDocument {
    /// Marks a key that was given twice, so that the rest of the document can still be read.
    private static let duplicateMarks: ClosedRange<UInt32> = 0x100000...0x1003FF

    /// - Returns: the root, nil for an empty document or one that cannot be read; the reason is then in the scope.
    static func parse(_ text: String, in scope: ReadingScope) -> YAMLValue? {
        let hidden = VariableSubstitution.hide(text)
        var lines = hidden.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
        var marks = duplicateMarks.makeIterator()
        while true {
            do {
                guard let node = try compose(yaml: lines.joined(separator: "\n")) else { return nil }
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
                        scope.report(Place(context.mark), "'\(name)' is given twice here", "keep one of them")
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

    /// Renames the second occurrence of each name in the block mapping that begins at the mark.
    ///
    /// - Returns: the names that were found, with their places.
    private static func mark(
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
                let offset = content.first == "\"" || content.first == "'" ? 1 : 0
                let place = line.index(line.startIndex, offsetBy: indentation + offset)
                guard let mark = marks.next().flatMap(Unicode.Scalar.init) else { return [] }
                lines[index].replaceSubrange(place...place, with: String(mark))
                found.append((name, Place(line: index + 1, column: indentation + 1)))
                break
            }
        }
        return found
    }

    private static func isKey(_ name: String, at content: Substring) -> Bool {
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
