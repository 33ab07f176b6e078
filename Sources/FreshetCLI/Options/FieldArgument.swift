import ArgumentParser
import Foundation

/// The name of a field. Not an empty one, whose path would be that of all fields.
struct FieldArgument: ExpressibleByArgument {
    let text: String

    init?(argument: String) {
        if argument.isEmpty { return nil }
        text = argument
    }

    /// The path of the field, whatever is in its name.
    var path: String {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_.~"))
        return "/api/fields/" + (text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text)
    }
}
