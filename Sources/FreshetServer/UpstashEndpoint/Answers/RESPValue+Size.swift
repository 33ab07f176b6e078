import NIOCore
import RESP

extension RESPValue {
    /// The sum over the strings in it, in bytes.
    ///
    /// - Parameters:
    ///   - each: is counted for every value in it, too.
    ///   - size: of a string, where something else than its bytes is counted. Lines have their bytes in any case.
    func size(each: Int = 0, of size: (ByteBuffer) -> Int = { $0.readableBytes }) -> Int {
        switch self {
        case .null, .integer, .boolean, .double: each
        case .simpleString(let string), .bigNumber(let string): each + string.utf8.count
        case .bulkString(let bytes), .verbatimString(_, let bytes): each + size(bytes)
        case .error(let error): each + error.text.utf8.count
        case .array(let values), .set(let values), .push(let values):
            values.reduce(each) { $0 + $1.size(each: each, of: size) }
        case .map(let pairs):
            pairs.reduce(each) { $0 + $1.key.size(each: each, of: size) + $1.value.size(each: each, of: size) }
        }
    }

    /// What it takes of the memory.
    var heldBytes: Int { size(each: MemoryLayout<Self>.stride) }
}

extension [RESPValue] {
    var heldBytes: Int { reduce(0) { $0 + $1.heldBytes } }
}
