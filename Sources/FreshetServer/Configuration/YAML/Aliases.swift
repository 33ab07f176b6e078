import Yams

/// Follows aliases (`*name`). The YAML parser would do so without limit, and so does not see them: every star is hidden
/// from it.
struct Aliases {
    /// Why a document cannot be read.
    enum Problem: Error {
        case tooMuch(Place?)
        case unknown(String, Place?)
        case isKey(String, Place?)
    }

    private struct Meaning {
        let node: Node
        let weight: Int
        let depth: Int
    }

    /// What a document may weigh once its aliases are followed – bytes of texts, and one for each value –, unless its
    /// file is larger; and how deep values may be nested.
    private static let leastWeight = 1 << 20
    static let greatestDepth = 100

    /// Stands in for a star while YAML is parsed; no text has it.
    private static let star: Unicode.Scalar = "\u{10FFFB}"

    private var meanings: [String: Meaning] = [:]
    /// What is left.
    private var weight: Int

    /// - Parameter bytes: of the file.
    init(bytes: Int) { weight = max(Self.leastWeight, 2 * bytes) }

    static func hide(_ yaml: String) -> String { replace("*", by: star, in: yaml) }

    static func reveal(_ text: String) -> String { replace(star, by: "*", in: text) }

    private static func replace(_ old: Unicode.Scalar, by new: Unicode.Scalar, in text: String) -> String {
        guard text.unicodeScalars.contains(old) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == old ? new : $0 }))
    }

    /// The value without aliases, its stars as they were written.
    mutating func follow(_ node: Node) throws(Problem) -> Node { try meaning(of: node, depth: 0).node }

    private mutating func meaning(of node: Node, depth: Int) throws(Problem) -> Meaning {
        let place = node.mark.map(Place.init)
        guard depth <= Self.greatestDepth else { throw .tooMuch(place) }
        if let name = Self.alias(node) {
            guard let meaning = meanings[name] else { throw .unknown(name, place) }
            weight -= meaning.weight
            guard weight >= 0, depth + meaning.depth <= Self.greatestDepth else { throw .tooMuch(place) }
            return meaning
        }
        let meaning = try written(node, depth: depth)
        if let anchor = node.anchor { meanings[anchor.rawValue] = meaning }
        return meaning
    }

    private mutating func written(_ node: Node, depth: Int) throws(Problem) -> Meaning {
        var own = 1
        if let scalar = node.scalar { own += scalar.string.utf8.count }
        weight -= own
        let place = node.mark.map(Place.init)
        guard weight >= 0 else { throw .tooMuch(place) }
        var total = own
        var deepest = -1
        switch node {
        case .alias: throw .tooMuch(place)
        case .scalar(let scalar):
            return Meaning(node: .scalar(Self.reveal(scalar)), weight: own, depth: 0)
        case .sequence(let sequence):
            var elements: [Node] = []
            elements.reserveCapacity(sequence.count)
            for element in sequence {
                let meaning = try meaning(of: element, depth: depth + 1)
                total += meaning.weight
                deepest = max(deepest, meaning.depth)
                elements.append(meaning.node)
            }
            let copy = Node.Sequence(elements, sequence.tag, sequence.style, sequence.mark)
            return Meaning(node: .sequence(copy), weight: total, depth: deepest + 1)
        case .mapping(let mapping):
            var pairs: [(Node, Node)] = []
            pairs.reserveCapacity(mapping.count)
            for (key, value) in mapping {
                if let name = Self.alias(key) { throw .isKey(name, key.mark.map(Place.init)) }
                let key = try meaning(of: key, depth: depth + 1)
                let value = try meaning(of: value, depth: depth + 1)
                total += key.weight + value.weight
                deepest = max(deepest, key.depth, value.depth)
                pairs.append((key.node, value.node))
            }
            let copy = Node.Mapping(pairs, mapping.tag, mapping.style, mapping.mark)
            return Meaning(node: .mapping(copy), weight: total, depth: deepest + 1)
        }
    }

    private static func alias(_ node: Node) -> String? {
        guard let scalar = node.scalar, scalar.style == .plain, scalar.string.unicodeScalars.first == star else {
            return nil
        }
        return String(scalar.string.unicodeScalars.dropFirst())
    }

    private static func reveal(_ scalar: Node.Scalar) -> Node.Scalar {
        Node.Scalar(reveal(scalar.string), scalar.tag, scalar.style, scalar.mark)
    }
}
