import Yams

/// Parses a configuration file into nodes that know their place.
enum YAMLDocument {
    /// Marks a key that was given twice, so that the rest of the document can still be read: from its beginning each time,
    /// and so not very often.
    private static let duplicateMarks: ClosedRange<UInt32> = 0x100000...0x10003F

    /// - Returns: the root, nil for an empty document or one that cannot be read; the reason is then in the scope.
    static func parse(_ text: String, in scope: ReadingScope) -> YAMLValue? {
        let hidden = Aliases.hide(VariableSubstitution.hide(text))
        var lines = hidden.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
        var marks = duplicateMarks.makeIterator()
        while true {
            do {
                let parser = try Parser(yaml: lines.joined(separator: "\n"))
                guard let node = try parser.singleRoot() else { return nil }
                var aliases = Aliases(bytes: text.utf8.count)
                // Anchors live as long as the parser.
                let root = try withExtendedLifetime(parser) { () throws(Aliases.Problem) in try aliases.follow(node) }
                return YAMLValue(node: root, name: "", scope: scope)
            } catch let problem as Aliases.Problem {
                report(problem, in: scope)
                return nil
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                let positions = mark(names, below: Place(context.mark), as: &marks, in: &lines)
                for (name, position) in positions {
                    scope.report(
                        position,
                        "'\(shown(name))' is given twice",
                        "keep one of them"
                    )
                }
                if positions.isEmpty {
                    for name in names {
                        scope.report(
                            Place(context.mark),
                            "'\(shown(name))' is given twice here",
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

    private static func shown(_ name: String) -> String { Aliases.reveal(VariableSubstitution.reveal(name)) }

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

    private static func report(_ problem: Aliases.Problem, in scope: ReadingScope) {
        switch problem {
        case .tooMuch(let place):
            scope.report(
                place,
                "the file has too much in it once its aliases are followed, or too deep values",
                "write fewer aliases (*name), and nest no deeper than \(Aliases.greatestDepth)"
            )
        case .unknown(let name, let place):
            scope.report(
                place,
                "*\(shown(name)) stands for nothing: no value before it has the anchor &\(shown(name))",
                "put a text that begins with * in quotes"
            )
        case .isKey(let name, let place):
            scope.report(place, "the alias *\(shown(name)) cannot be a key", "write the key itself")
        }
    }

    private static func report(_ error: any Error, in scope: ReadingScope) {
        let advice = "correct the YAML; nothing behind this place was read"
        switch error {
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            scope.report(Place(mark), "no valid YAML: \(problem)", advice)
        case YamlError.reader(let problem, let offset, _, let yaml):
            let place = offset.map { Place(behind: String(yaml.prefix($0))) }
            scope.report(place, "no valid YAML: \(problem)", advice)
        default:
            scope.report(nil, "no valid YAML", advice)
        }
    }
}
