import Freshet
import NIOCore
import Yams

extension YAMLValue {
    /// Of all that is in it, with its variables replaced.
    var fingerprint: String { String(ByteBuffer(string: unambiguous(node)).sha1.prefix(12)) }

    /// A text that no other value has.
    private func unambiguous(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar):
            let text = VariableSubstitution.replace(in: scalar.string, from: scope.environment).text
            // Only what is written plainly, and not in a variable, may be a number.
            let isPlain = scalar.style == .plain && text == scalar.string
            return "\(isPlain ? "plain" : "text") \(text.utf8.count):\(text)"
        case .sequence(let sequence):
            return "[\(sequence.map(unambiguous).joined())]"
        case .mapping(let mapping):
            return "{\(mapping.map { unambiguous($0.key) + unambiguous($0.value) }.sorted().joined())}"
        case .alias:
            return "alias"
        }
    }
}
