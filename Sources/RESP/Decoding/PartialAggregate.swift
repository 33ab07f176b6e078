/// An aggregate that still misses elements.
struct PartialAggregate: Sendable {
    enum Kind: Sendable {
        case array, set, push, map, attribute

        var elementsPerEntry: Int {
            switch self {
            case .array, .set, .push: 1
            case .map, .attribute: 2
            }
        }
    }

    let kind: Kind
    private var missing: Int
    let isKept: Bool
    private var elements: [RESPValue] = []

    /// - Parameter isKept: whether it holds its elements, or only counts them.
    init(kind: Kind, count: Int, isKept: Bool = true) {
        self.kind = kind
        missing = count
        self.isKept = isKept
        // Only announced, not yet received: an announcement costs the peer nothing.
        if isKept { elements.reserveCapacity(min(count, 1024)) }
    }

    var isComplete: Bool { missing == 0 }

    mutating func append(_ element: consuming RESPValue) {
        missing -= 1
        if isKept { elements.append(element) }
    }

    var value: RESPValue {
        switch kind {
        case .array: return .array(elements)
        case .set: return .set(elements)
        case .push: return .push(elements)
        case .map, .attribute:
            return .map(
                stride(from: 0, to: elements.count - 1, by: 2).map {
                    RESPValue.Pair(key: elements[$0], value: elements[$0 + 1])
                }
            )
        }
    }
}
