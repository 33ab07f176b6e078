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
    private let count: Int
    var elements: [RESPValue] = []

    init(kind: Kind, count: Int) {
        self.kind = kind
        self.count = count
        // Only announced, not yet received: an announcement costs the peer nothing.
        elements.reserveCapacity(min(count, 1024))
    }

    var isComplete: Bool { elements.count == count }

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
