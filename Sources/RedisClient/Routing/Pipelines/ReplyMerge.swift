import NIOCore
import RESP

/// How the answers to the parts of one command become one answer. An error of any part is the answer of the whole.
enum ReplyMerge: Sendable, Equatable {
    /// Elements go to the positions of their keys.
    case byPosition
    case sum
    case concatenate
    case allSucceeded
    /// Of each element, the least: whether all have it.
    case least
    /// The answer of the one primary that was asked, with the cursor for the next.
    case page(ClusterCursor)

    /// - Parameter positions: for each reply, the places of its keys among all keys.
    func merge(_ replies: [RESPValue], positions: [[Int]]) -> RESPValue {
        if let error = replies.first(where: { $0.error != nil }) { return error }
        switch self {
        case .sum:
            return .integer(replies.reduce(0) { $0 &+ ($1.integer ?? 0) })
        case .concatenate:
            return .array(replies.flatMap { $0.array ?? [] })
        case .allSucceeded:
            return replies.first ?? .null
        case .least:
            let all = replies.map { ($0.array ?? []).map { $0.integer ?? 0 } }
            let count = all.map(\.count).min() ?? 0
            return .array((0..<count).map { index in .integer(all.map { $0[index] }.min() ?? 0) })
        case .page(let cursor):
            guard var page = replies.first?.array else { return replies.first ?? .array([.bulk("0"), .array([])]) }
            if let next = page.first?.string { page[0] = .bulk(cursor.next(next)) }
            return .array(page)
        case .byPosition:
            var merged = [RESPValue](repeating: .null, count: positions.reduce(0) { $0 + $1.count })
            for (reply, positions) in zip(replies, positions) {
                guard let elements = reply.array, elements.count == positions.count else {
                    return .error(RESPError("ERR The server answered another number of values than keys"))
                }
                for (position, element) in zip(positions, elements) { merged[position] = element }
            }
            return .array(merged)
        }
    }
}

extension RESPValue {
    fileprivate static func bulk(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }
}
