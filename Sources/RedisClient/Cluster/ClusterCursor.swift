import RESP

/// Where a scan of a whole cluster is: which primary's turn it is, and the cursor there.
///
/// A server's own cursor is text to clients, and so is this: `cursor@turn@primaries`. Pure.
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
        let parts = text.split(separator: "@")
        self.primaries = order
        // Among other primaries it begins anew: keys come twice rather than not at all.
        guard parts.count == 3, let turn = Int(parts[1]), order.indices.contains(turn),
            parts[2] == Self.fingerprint(order)
        else {
            (self.turn, cursor) = (0, "0")
            return
        }
        (self.turn, cursor) = (turn, String(parts[0]))
    }

    /// `nil` if there is no primary.
    var primary: Address? { primaries.indices.contains(turn) ? primaries[turn] : nil }

    /// - Parameter cursor: what the primary answered.
    func next(_ cursor: String) -> String {
        let turn = cursor == "0" ? turn + 1 : turn
        return turn < primaries.count ? "\(cursor)@\(turn)@\(Self.fingerprint(primaries))" : "0"
    }

    private static func fingerprint(_ primaries: [Address]) -> String {
        String(primaries.map(\.description).joined(separator: " ").commandHash, radix: 36)
    }
}
