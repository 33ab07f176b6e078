import RESP

/// Where a scan of a whole cluster is: which primary's turn it is, and the cursor there.
///
/// Clients take cursors for numbers, of whatever length: `1`, the turn in 5 digits, the primaries in 10, and the cursor
/// that the primary gave. Pure.
struct ClusterCursor: Equatable {
    typealias Address = RedisClient.Configuration.Address

    /// In the order of their turns.
    private let primaries: [Address]
    private let turn: Int
    /// For the primary whose turn it is.
    let cursor: String

    /// - Parameter text: `0` at the start, then what ``next(_:)`` gave.
    init(_ text: String, primaries: [Address]) {
        let order = primaries.sorted { $0.description < $1.description }
        self.primaries = order
        let head = text.prefix(Self.headLength)
        let turn = Int(head.dropFirst().prefix(Self.turnLength)) ?? 0
        // Among other primaries it begins anew: keys come twice rather than not at all.
        guard order.indices.contains(turn), head == Self.head(turn, order) else {
            (self.turn, cursor) = (0, "0")
            return
        }
        (self.turn, cursor) = (turn, String(text.dropFirst(Self.headLength)))
    }

    /// `nil` if there is no primary.
    var primary: Address? { primaries.indices.contains(turn) ? primaries[turn] : nil }

    /// - Parameter cursor: what the primary answered.
    func next(_ cursor: String) -> String {
        let turn = cursor == "0" ? turn + 1 : turn
        return turn < primaries.count ? Self.head(turn, primaries) + cursor : "0"
    }

    private static let (turnLength, fingerprintLength) = (5, 10)
    private static let headLength = 1 + turnLength + fingerprintLength

    private static func head(_ turn: Int, _ primaries: [Address]) -> String {
        let hash = primaries.map(\.description).joined(separator: " ").commandHash
        return "1" + digits(turn, turnLength) + digits(Int(hash % 10_000_000_000), fingerprintLength)
    }

    private static func digits(_ number: Int, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}
