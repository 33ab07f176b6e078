/// Where a value stands in a document: `$.offices[2].name`.
///
/// Whoever writes the document chooses the names: long ones, and the beginning of a long path, are cut, and control
/// characters are left out.
struct JSONPath: CustomStringConvertible {
    enum Step {
        case name(String)
        case index(Int)
    }

    let steps: [Step]

    var description: String {
        steps.suffix(10).reduce(into: steps.count > 10 ? "$…" : "$") { path, step in
            switch step {
            case .name(let name): path += ".\(name.printable(50))"
            case .index(let index): path += "[\(index)]"
            }
        }
    }
}
