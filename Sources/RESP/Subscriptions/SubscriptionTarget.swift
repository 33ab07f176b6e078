/// What is listened to. Names are told apart by their bytes, as servers do.
package enum SubscriptionTarget: Hashable, Sendable {
    case channel(String)
    case pattern(String)

    private var name: String {
        switch self {
        case .channel(let name), .pattern(let name): name
        }
    }

    package static func == (one: Self, other: Self) -> Bool {
        switch (one, other) {
        case (.channel, .channel), (.pattern, .pattern): one.name.utf8.elementsEqual(other.name.utf8)
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        var name = name
        name.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
